//! Connections that this process opens to other servers, for a thread that may wait.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// So much is sent within one timeout, as in Redis.
const SENT_AT_ONCE_BYTES: usize = 64 * 1024;
/// No line of a reply that is read here is longer.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// A connection to another server.
pub struct Dialed {
    stream: TcpStream,
    /// Read and not taken yet.
    read: Vec<u8>,
}

/// Whether it took too long.
pub fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
}

impl Dialed {
    /// Connects to a host, by name or address.
    ///
    /// # Errors
    /// What the system says, of the last address of that name.
    pub fn connect(host: &str, port: u16, timeout: Duration) -> io::Result<Self> {
        let mut failure = io::Error::from(ErrorKind::NotFound);
        for address in (host, port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, timeout) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(Self { stream, read: Vec::new() });
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Sends bytes; for each 64 KiB there is the timeout.
    ///
    /// # Errors
    /// They have not all been sent.
    pub fn send(&mut self, bytes: &[u8], timeout: Duration) -> io::Result<()> {
        self.stream.set_write_timeout(Some(timeout))?;
        bytes.chunks(SENT_AT_ONCE_BYTES).try_for_each(|chunk| self.stream.write_all(chunk))
    }

    /// The next line, without its end.
    ///
    /// # Errors
    /// It has not come in time, or never will.
    pub fn line(&mut self, timeout: Duration) -> io::Result<Vec<u8>> {
        let until = Instant::now() + timeout;
        let mut seen = 0;
        loop {
            if let Some(end) = self.read[seen..].iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.read.drain(..=seen + end).collect();
                line.pop();
                line.pop_if(|byte| *byte == b'\r');
                return Ok(line);
            }
            seen = self.read.len();
            if seen > LINE_BYTES_MAX {
                return Err(ErrorKind::InvalidData.into());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            self.stream.set_read_timeout(Some(left))?;
            let mut bytes = [0; 4096];
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.read.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    const SOON: Duration = Duration::from_millis(50);

    #[test]
    fn lines_come_whole_or_not_at_all() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let mut dialed = Dialed::connect("localhost", port, SOON).expect("somebody listens");
        let (mut other, _) = listener.accept().expect("it has connected");
        dialed.send(b"PING\r\n", SOON).expect("it is read");
        let mut bytes = [0; 6];
        other.read_exact(&mut bytes).expect("it was sent");
        other.write_all(b"+PO").expect("it is read");
        assert!(is_timeout(&dialed.line(SOON).expect_err("there is no end")));
        other.write_all(b"NG\r\n-ERR no\nrest").expect("it is read");
        assert_eq!(dialed.line(SOON).expect("it has come"), b"+PONG");
        assert_eq!(dialed.line(SOON).expect("it has come"), b"-ERR no");
        drop(other);
        assert_eq!(dialed.line(SOON).expect_err("it is over").kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn nobody_there() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        drop(listener);
        assert!(Dialed::connect("127.0.0.1", port, SOON).is_err());
        assert!(Dialed::connect("no such host", port, SOON).is_err());
    }
}
