//! Sockets: non-blocking, closed on drop.

use std::fs::File;
use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::path::Path;

/// `recv`, but straight: the C library lets a thread be cancelled while it is in there, which costs two atomic operations a call.
///
/// # Safety
/// None beyond what the type of `buf` says; a descriptor that is not open is an error.
#[inline]
unsafe fn recv_call(fd: RawFd, buf: &mut [u8]) -> isize {
    let (none, flags) = (std::ptr::null::<u8>(), 0);
    // SAFETY: the buffer is live and its length is given; no address is asked for.
    unsafe { libc::syscall(libc::SYS_recvfrom, fd, buf.as_mut_ptr(), buf.len(), flags, none, none) as isize }
}

/// `send`, likewise.
#[inline]
unsafe fn send_call(fd: RawFd, bytes: &[u8]) -> isize {
    let (none, flags) = (std::ptr::null::<u8>(), libc::MSG_NOSIGNAL);
    // SAFETY: the slice is live and its length is given; no address is given.
    unsafe { libc::syscall(libc::SYS_sendto, fd, bytes.as_ptr(), bytes.len(), flags, none, 0) as isize }
}

/// A descriptor kept free, so that a connection can still be answered and closed when all others are used up.
pub struct Reserve(Option<File>);

impl Reserve {
    pub fn new() -> Self {
        Self(File::open("/dev/null").ok())
    }

    /// Gives the descriptor away for the time of `use_it`, then takes one back.
    pub fn lend<T>(&mut self, use_it: impl FnOnce() -> T) -> T {
        self.0 = None;
        let result = use_it();
        *self = Self::new();
        result
    }
}

impl Default for Reserve {
    fn default() -> Self {
        Self::new()
    }
}

/// What to do after an attempt to accept that brought no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterAccept {
    /// None waits.
    Done,
    /// The trouble was of that one connection: the next may be fine.
    Next,
    /// No descriptor is left.
    NoDescriptor,
    /// The system lacks something, memory for instance. The connections keep waiting, and nothing will tell of them again.
    Later,
}

impl AfterAccept {
    /// Errors that a connection brought along from the network are to be taken as none (accept(2)).
    pub fn of(error: &io::Error) -> Self {
        const OF_THE_CONNECTION: [i32; 12] = [
            libc::ECONNABORTED,
            libc::EINTR,
            libc::EPERM,
            libc::ENETDOWN,
            libc::EPROTO,
            libc::ENOPROTOOPT,
            libc::EHOSTDOWN,
            libc::ENONET,
            libc::EHOSTUNREACH,
            libc::EOPNOTSUPP,
            libc::ENETUNREACH,
            libc::ETIMEDOUT,
        ];
        match error.raw_os_error() {
            _ if error.kind() == io::ErrorKind::WouldBlock => Self::Done,
            Some(libc::EMFILE | libc::ENFILE) => Self::NoDescriptor,
            Some(code) if OF_THE_CONNECTION.contains(&code) => Self::Next,
            _ => Self::Later,
        }
    }
}

/// A connected stream socket.
#[derive(Debug)]
pub struct Socket(OwnedFd);

impl Socket {
    pub fn fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Reads into `buf`; 0 is the end of the stream.
    ///
    /// # Errors
    /// `WouldBlock`, or what the system says.
    #[inline]
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        // SAFETY: the buffer is live and its length is given.
        let got = unsafe { recv_call(self.fd(), buf) };
        if got < 0 { Err(io::Error::last_os_error()) } else { Ok(got as usize) }
    }

    /// Reads at most `body_max` bytes to the end of `body`, into its spare room, and what comes behind them into `rest`; how
    /// many came to either.
    ///
    /// # Errors
    /// `WouldBlock`, or what the system says.
    pub fn recv_apart(
        &self,
        body: &mut Vec<u8>,
        body_max: usize,
        rest: &mut [u8],
    ) -> io::Result<(usize, usize)> {
        let spare = body.spare_capacity_mut();
        let room = spare.len().min(body_max);
        let mut slices = [
            libc::iovec { iov_base: spare.as_mut_ptr().cast(), iov_len: room },
            libc::iovec { iov_base: rest.as_mut_ptr().cast(), iov_len: rest.len() },
        ];
        // SAFETY: an all-zero msghdr is valid; both slices are live, may be written to and have their lengths given.
        let got = unsafe {
            let mut message: libc::msghdr = std::mem::zeroed();
            message.msg_iov = slices.as_mut_ptr();
            message.msg_iovlen = slices.len();
            libc::recvmsg(self.fd(), &raw mut message, 0)
        };
        if got < 0 {
            return Err(io::Error::last_os_error());
        }
        let got = got as usize;
        let to_body = got.min(room);
        // SAFETY: the system has filled the spare room from its beginning, `to_body` bytes of it.
        unsafe { body.set_len(body.len() + to_body) };
        Ok((to_body, got - to_body))
    }

    /// Writes what fits on the socket with this descriptor, which belongs to another thread. The caller knows that it is open, and will
    /// not be closed meanwhile.
    ///
    /// # Errors
    /// `WouldBlock`, or what the system says.
    pub fn send_on(fd: RawFd, bytes: &[u8]) -> io::Result<usize> {
        // SAFETY: the slice is live and its length is given.
        let sent = unsafe { send_call(fd, bytes) };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(sent as usize) }
    }

    /// Writes what fits.
    ///
    /// # Errors
    /// `WouldBlock`, or what the system says.
    #[inline]
    pub fn send(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let sent = if let [one] = slices {
            // SAFETY: the slice is live and its length is given.
            unsafe { send_call(self.fd(), one) }
        } else {
            // SAFETY: an all-zero msghdr is valid; IoSlice has the layout of iovec, and the slices are live.
            unsafe {
                let mut message: libc::msghdr = std::mem::zeroed();
                message.msg_iov = slices.as_ptr().cast_mut().cast();
                message.msg_iovlen = slices.len();
                libc::sendmsg(self.fd(), &raw const message, libc::MSG_NOSIGNAL)
            }
        };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(sent as usize) }
    }

    /// Ends the connection in both directions; what has come can still be read.
    pub(crate) fn shut_down(&self) {
        // SAFETY: plain system call on an open descriptor.
        unsafe { libc::shutdown(self.fd(), libc::SHUT_RDWR) };
    }

    fn set(&self, level: i32, option: i32, value: i32) {
        set_option(self.fd(), level, option, value);
    }

    /// TCP options of an accepted connection; `keepalive_s` 0 switches keep-alive probes off.
    pub fn set_tcp_options(&self, keepalive_s: i32) {
        self.set(libc::IPPROTO_TCP, libc::TCP_NODELAY, 1);
        if keepalive_s > 0 {
            self.set(libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1);
            self.set(libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, keepalive_s);
            self.set(libc::IPPROTO_TCP, libc::TCP_KEEPINTVL, (keepalive_s / 3).max(1));
            self.set(libc::IPPROTO_TCP, libc::TCP_KEEPCNT, 3);
        }
    }

    /// Whether the other end is on this machine's loopback interface.
    pub fn is_from_loopback(&self) -> bool {
        // SAFETY: the descriptor is open and given back by `into_raw_fd` below.
        let stream = unsafe { TcpStream::from_raw_fd(self.fd()) };
        let peer = stream.peer_addr();
        let _ = stream.into_raw_fd();
        peer.is_ok_and(|address| address.ip().to_canonical().is_loopback())
    }

    /// (peer, local) as CLIENT LIST shows them.
    pub fn addresses(&self) -> (String, String) {
        // SAFETY: the descriptor is open and given back by `into_raw_fd` below.
        let stream = unsafe { TcpStream::from_raw_fd(self.fd()) };
        let show = |a: io::Result<SocketAddr>| a.map_or_else(|_| "?:0".to_string(), |a| a.to_string());
        let pair = (show(stream.peer_addr()), show(stream.local_addr()));
        let _ = stream.into_raw_fd();
        pair
    }
}

/// A listening socket.
pub struct Listener {
    fd: OwnedFd,
    /// For the log: `127.0.0.1:6379`, `/run/weft.sock`.
    pub name: String,
    pub is_unix: bool,
}

/// Why there is no listening socket: the call that failed and what the system says.
#[derive(Debug)]
pub struct ListenError {
    pub call: &'static str,
    pub error: io::Error,
}

impl std::fmt::Display for ListenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.call, crate::reason(&self.error))
    }
}

impl ListenError {
    fn new(call: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self { call, error }
    }

    /// Somebody else has this address.
    pub fn is_in_use(&self) -> bool {
        self.error.raw_os_error() == Some(libc::EADDRINUSE)
    }

    /// The machine does not have this address.
    pub fn is_missing_address(&self) -> bool {
        self.error.raw_os_error() == Some(libc::EADDRNOTAVAIL)
    }

    /// The machine does not speak this protocol, such as IPv6.
    pub fn is_missing_protocol(&self) -> bool {
        const CODES: [i32; 5] = [
            libc::ENOPROTOOPT,
            libc::EPROTONOSUPPORT,
            libc::ESOCKTNOSUPPORT,
            libc::EPFNOSUPPORT,
            libc::EAFNOSUPPORT,
        ];
        self.error.raw_os_error().is_some_and(|code| CODES.contains(&code))
    }
}

impl Listener {
    /// Listens on a TCP address.
    ///
    /// # Errors
    /// What the system says, and to what.
    pub fn tcp(address: SocketAddr, backlog: i32) -> Result<Self, ListenError> {
        Self::tcp_beside(address, backlog, &[])
    }

    /// As [`Listener::tcp`], but the address may be one that `others` of this process listen on, or overlap with it: for
    /// those that take their place.
    ///
    /// # Errors
    /// What the system says, and to what.
    pub fn tcp_beside(address: SocketAddr, backlog: i32, others: &[RawFd]) -> Result<Self, ListenError> {
        let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
        let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: plain system call.
        let fd = unsafe { libc::socket(family, kind, 0) };
        if fd < 0 {
            return Err(ListenError::new("socket")(io::Error::last_os_error()));
        }
        // SAFETY: the descriptor was just made.
        let socket = Socket(unsafe { OwnedFd::from_raw_fd(fd) });
        socket.set(libc::SOL_SOCKET, libc::SO_REUSEADDR, 1);
        if address.is_ipv6() {
            socket.set(libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 1);
        }
        let share = |on: i32| {
            others.iter().for_each(|&other| set_option(other, libc::SOL_SOCKET, libc::SO_REUSEPORT, on));
            if !others.is_empty() {
                socket.set(libc::SOL_SOCKET, libc::SO_REUSEPORT, on);
            }
        };
        share(1);
        let bound = bind(&socket, address).map_err(ListenError::new("bind"));
        let listens = bound.and_then(|()| listen(fd, backlog).map_err(ListenError::new("listen")));
        // Nobody else is to share the address.
        share(0);
        listens?;
        Ok(Self { fd: socket.0, name: address.to_string(), is_unix: false })
    }

    /// Listens on a Unix socket. A socket left there by an earlier process is removed; any other file is not.
    ///
    /// # Errors
    /// What the system says, and to what.
    pub fn unix(path: &Path, permissions: Option<u32>, backlog: i32) -> Result<Self, ListenError> {
        use std::os::unix::fs::{FileTypeExt, PermissionsExt};
        if std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket()) {
            std::fs::remove_file(path).map_err(ListenError::new("unlink"))?;
        }
        let listener = UnixListener::bind(path).map_err(ListenError::new("bind"))?;
        listener.set_nonblocking(true).map_err(ListenError::new("fcntl"))?;
        listen(listener.as_raw_fd(), backlog).map_err(ListenError::new("listen"))?;
        if let Some(mode) = permissions {
            let permissions = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(path, permissions).map_err(ListenError::new("chmod"))?;
        }
        Ok(Self { fd: OwnedFd::from(listener), name: path.display().to_string(), is_unix: true })
    }

    /// Takes no more connections; those that wait are refused.
    pub fn stop(&self) {
        // SAFETY: plain system call on an open descriptor.
        unsafe { libc::shutdown(self.fd(), libc::SHUT_RDWR) };
    }

    pub fn fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// The port that a TCP listener got.
    pub fn port(&self) -> Option<u16> {
        if self.is_unix {
            return None;
        }
        // SAFETY: the descriptor is open and given back by `into_raw_fd` below.
        let listener = unsafe { TcpListener::from_raw_fd(self.fd()) };
        let port = listener.local_addr().ok().map(|a| a.port());
        let _ = listener.into_raw_fd();
        port
    }

    /// The next waiting connection.
    ///
    /// # Errors
    /// `WouldBlock` when none waits.
    pub fn accept(&self) -> io::Result<Socket> {
        // SAFETY: plain system call; no address is asked for.
        let fd = unsafe {
            libc::accept4(
                self.fd(),
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC,
            )
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made.
        Ok(Socket(unsafe { OwnedFd::from_raw_fd(fd) }))
    }
}

fn set_option(fd: RawFd, level: i32, option: i32, value: i32) {
    // Options are wishes: a socket without them still works.
    // SAFETY: the value is live and its size is given.
    unsafe {
        libc::setsockopt(fd, level, option, (&raw const value).cast(), size_of::<i32>() as libc::socklen_t)
    };
}

/// Also changes the backlog of a socket that listens already.
fn listen(fd: RawFd, backlog: i32) -> io::Result<()> {
    // SAFETY: plain system call on an open descriptor.
    if unsafe { libc::listen(fd, backlog) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn bind(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    let result = match address {
        SocketAddr::V4(v4) => {
            let raw = libc::sockaddr_in {
                sin_family: libc::AF_INET as libc::sa_family_t,
                sin_port: v4.port().to_be(),
                sin_addr: libc::in_addr { s_addr: u32::from(*v4.ip()).to_be() },
                sin_zero: [0; 8],
            };
            // SAFETY: the address is live and its size is given.
            unsafe {
                libc::bind(
                    socket.fd(),
                    (&raw const raw).cast(),
                    size_of::<libc::sockaddr_in>() as libc::socklen_t,
                )
            }
        }
        SocketAddr::V6(v6) => {
            let raw = libc::sockaddr_in6 {
                sin6_family: libc::AF_INET6 as libc::sa_family_t,
                sin6_port: v6.port().to_be(),
                sin6_flowinfo: v6.flowinfo(),
                sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                sin6_scope_id: v6.scope_id(),
            };
            // SAFETY: the address is live and its size is given.
            unsafe {
                libc::bind(
                    socket.fd(),
                    (&raw const raw).cast(),
                    size_of::<libc::sockaddr_in6>() as libc::socklen_t,
                )
            }
        }
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_an_error_of_accept() {
        let after = |code| AfterAccept::of(&io::Error::from_raw_os_error(code));
        assert_eq!(after(libc::EAGAIN), AfterAccept::Done);
        assert_eq!(after(libc::EMFILE), AfterAccept::NoDescriptor);
        for code in [libc::ECONNABORTED, libc::EPROTO, libc::ENETDOWN, libc::EHOSTUNREACH] {
            assert_eq!(after(code), AfterAccept::Next);
        }
        for code in [libc::ENOBUFS, libc::ENOMEM, libc::EINVAL] {
            assert_eq!(after(code), AfterAccept::Later);
        }
    }
}
