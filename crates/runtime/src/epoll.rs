//! The back end for kernels and containers without io_uring: epoll through mio, with direct recv and send.

use crate::reactor::{Event, Reactor};
use crate::socket::Socket;
use crate::waker::Waker;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use std::io::{self, IoSlice};
use std::os::fd::RawFd;
use std::time::Duration;

const EVENTS_MAX: usize = 1024;
/// The waker's token; callers' tokens are smaller.
const WAKER: usize = usize::MAX - 1;

pub struct Epoll {
    poll: Poll,
    events: Events,
    waker: Waker,
    sockets: Vec<Option<Watched>>,
}

struct Watched {
    socket: Socket,
    wants_room: bool,
}

impl Epoll {
    /// # Errors
    /// What the system says.
    pub fn new() -> io::Result<Self> {
        let (poll, waker) = (Poll::new()?, Waker::new()?);
        poll.registry().register(&mut SourceFd(&waker.fd()), Token(WAKER), Interest::READABLE)?;
        Ok(Self { poll, events: Events::with_capacity(EVENTS_MAX), waker, sockets: Vec::new() })
    }

    fn watched(&mut self, token: usize) -> io::Result<&mut Watched> {
        self.sockets.get_mut(token).and_then(Option::as_mut).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Reactor for Epoll {
    fn wait(&mut self, timeout: Option<Duration>, out: &mut Vec<Event>) -> io::Result<()> {
        if let Err(error) = self.poll.poll(&mut self.events, timeout) {
            return if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) };
        }
        for event in &self.events {
            match event.token().0 {
                WAKER => {
                    self.waker.reset();
                    out.push(Event::Woken);
                }
                token => {
                    if event.is_readable() || event.is_error() || event.is_read_closed() {
                        out.push(Event::Readable(token));
                    }
                    if event.is_error() || event.is_read_closed() {
                        out.push(Event::Ended(token));
                    }
                    let waits =
                        self.sockets.get(token).and_then(Option::as_ref).is_some_and(|w| w.wants_room);
                    if event.is_writable() && waits {
                        out.push(Event::Writable(token));
                    }
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, token: usize, socket: Socket) -> io::Result<()> {
        self.poll.registry().register(&mut SourceFd(&socket.fd()), Token(token), Interest::READABLE)?;
        if self.sockets.len() <= token {
            self.sockets.resize_with(token + 1, || None);
        }
        self.sockets[token] = Some(Watched { socket, wants_room: false });
        Ok(())
    }

    fn add_listener(&mut self, token: usize, fd: RawFd) -> io::Result<()> {
        self.poll.registry().register(&mut SourceFd(&fd), Token(token), Interest::READABLE)
    }

    fn remove_listener(&mut self, _: usize, fd: RawFd) {
        let _ = self.poll.registry().deregister(&mut SourceFd(&fd));
    }

    #[inline]
    fn recv(&mut self, token: usize, buf: &mut [u8]) -> io::Result<usize> {
        self.watched(token)?.socket.recv(buf)
    }

    fn recv_apart(
        &mut self,
        token: usize,
        body: &mut Vec<u8>,
        body_max: usize,
        rest: &mut [u8],
    ) -> io::Result<(usize, usize)> {
        self.watched(token)?.socket.recv_apart(body, body_max, rest)
    }

    #[inline]
    fn send(&mut self, token: usize, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let watched = self.watched(token)?;
        let total: usize = slices.iter().map(|s| s.len()).sum();
        let result = watched.socket.send(slices);
        let fits = matches!(result, Ok(sent) if sent == total);
        if fits != watched.wants_room {
            return result;
        }
        // Ask for room while some is missing; stop asking when all went out.
        watched.wants_room = !fits;
        let fd = watched.socket.fd();
        let interest = if fits { Interest::READABLE } else { Interest::READABLE | Interest::WRITABLE };
        self.poll.registry().reregister(&mut SourceFd(&fd), Token(token), interest)?;
        result
    }

    fn remove(&mut self, token: usize) -> Option<Socket> {
        let watched = self.sockets.get_mut(token)?.take()?;
        let _ = self.poll.registry().deregister(&mut SourceFd(&watched.socket.fd()));
        Some(watched.socket)
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }

    fn name(&self) -> &'static str {
        "epoll"
    }
}
