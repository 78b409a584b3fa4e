//! What a shard's loop needs of the operating system.

use crate::socket::Socket;
use crate::waker::Waker;
use std::io::{self, IoSlice};
use std::os::fd::RawFd;
use std::time::Duration;

/// Something has happened. Tokens are the caller's names for sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// There may be input, an end of file or an error: call [`Reactor::recv`].
    Readable(usize),
    /// The other side sends no more. Comes beside `Readable`: a short read may then have the end of file behind it, so
    /// read until it shows.
    Ended(usize),
    /// There may be room for output again.
    Writable(usize),
    /// Another thread called [`Waker::wake`].
    Woken,
}

/// Readiness is told once per change (edge-triggered): after `Readable`, read until a read comes back short.
pub trait Reactor {
    /// Appends what has happened to `events`; waits up to `timeout` (`None`: for ever) if nothing has.
    ///
    /// # Errors
    /// What the system says; interruptions are not errors.
    fn wait(&mut self, timeout: Option<Duration>, events: &mut Vec<Event>) -> io::Result<()>;

    /// Watches a socket for input under the name `token`.
    ///
    /// # Errors
    /// What the system says.
    fn add(&mut self, token: usize, socket: Socket) -> io::Result<()>;

    /// Watches a listening socket: `Readable` means that connections wait.
    ///
    /// # Errors
    /// What the system says.
    fn add_listener(&mut self, token: usize, fd: RawFd) -> io::Result<()>;

    /// Watches it no more; an event that is under way may still come.
    fn remove_listener(&mut self, token: usize, fd: RawFd);

    /// Reads into `buf`; 0 is the end of the stream.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there.
    fn recv(&mut self, token: usize, buf: &mut [u8]) -> io::Result<usize>;

    /// As [`Reactor::recv`], to the end of `body`: into its spare room, but at most `body_max` bytes; and what comes behind
    /// them into `rest`. How many bytes came to either.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there.
    fn recv_apart(
        &mut self,
        token: usize,
        body: &mut Vec<u8>,
        body_max: usize,
        rest: &mut [u8],
    ) -> io::Result<(usize, usize)>;

    /// Writes what fits; after a short write or `WouldBlock`, `Writable` will tell when there is room.
    ///
    /// # Errors
    /// What the system says.
    fn send(&mut self, token: usize, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Writes what fits to several sockets, each named once; what [`Reactor::send`] says of each goes to the end of `results`. Of a socket
    /// that has not taken everything nobody may tell when there is room: send the rest by [`Reactor::send`].
    fn send_each(&mut self, sends: &[(usize, &[u8])], results: &mut Vec<io::Result<usize>>) {
        results.extend(sends.iter().map(|(token, bytes)| self.send(*token, &[IoSlice::new(bytes)])));
    }

    /// Stops watching and hands the socket back; dropping it closes it.
    fn remove(&mut self, token: usize) -> Option<Socket>;

    /// Wakes this reactor from other threads.
    fn waker(&self) -> Waker;

    /// `io_uring` or `epoll`.
    fn name(&self) -> &'static str;
}

/// Which back end to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackEnd {
    /// The one that measures cheaper, if the kernel allows it; epoll otherwise.
    Auto,
    Uring,
    Epoll,
}
