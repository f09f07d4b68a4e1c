//! Ports of the program that are shown through a front: another process of the same run, which counts what comes in.
//!
//! The two talk over a pair of sockets that nobody else has, and that leaves nothing behind. The broker hands over the listening
//! sockets on the host's loopback, when the program listens for the first time, so that runs that never do take no port away; the
//! front asks for a stream to the program whenever it needs one, and gets the program's own connection of the inner network.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use tokio::io::unix::AsyncFd;

use crate::sys;
use crate::wire::{self, Kind, Message};

/// The run's end.
pub struct Inlet(pub(crate) OwnedFd);

/// The front's end.
pub struct Front(OwnedFd);

/// The two ends, each for one process.
///
/// # Errors
/// Where the system gives no sockets.
pub fn pair() -> io::Result<(Inlet, Front)> {
    let (inlet, front) = sockets()?;
    Ok((Inlet(inlet), Front(front)))
}

fn sockets() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC;
    Ok(socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        flags,
        None,
    )?)
}

impl Front {
    /// The next listening socket at which a port of the program is to be shown; `None` when the run has ended. It is to be called
    /// by one task at a time.
    pub async fn shown(&self) -> Option<(u16, TcpListener)> {
        let socket = sys::asynchronous(self.0.try_clone().ok()?).ok()?;
        loop {
            let message = next(&socket).await.ok()??;
            let port = u16::try_from(message.number).ok();
            let listener = message.descriptors.into_iter().next();
            if let (Kind::Shown, Some(port), Some(listener)) = (message.kind, port, listener) {
                return Some((port, listener.into()));
            }
        }
    }

    /// A stream to a port of the program.
    ///
    /// # Errors
    /// Where nobody listens there, the run has ended, or the system refuses.
    pub async fn connect(&self, port: u16) -> io::Result<TcpStream> {
        let (ours, theirs) = sockets()?;
        let number = i32::from(port);
        wire::send(&self.0, Kind::AskStream, number, "", &[theirs.as_fd()])?;
        drop(theirs);
        let answer = next(&sys::asynchronous(ours)?).await?;
        let answer = answer.ok_or(io::ErrorKind::ConnectionRefused)?;
        match (answer.number, answer.descriptors.into_iter().next()) {
            (0, Some(stream)) => Ok(stream.into()),
            (0, None) => Err(io::ErrorKind::ConnectionRefused.into()),
            (number, _) => Err(io::Error::from_raw_os_error(number)),
        }
    }
}

/// The next message, when it has come.
pub(crate) async fn next(socket: &AsyncFd<OwnedFd>) -> io::Result<Option<Message>> {
    loop {
        let mut ready = socket.readable().await?;
        if let Ok(received) = ready.try_io(wire::receive) {
            return received;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    }

    #[test]
    fn a_front_gets_sockets_that_listen_and_streams() {
        let (inlet, front) = pair().unwrap();
        let shown = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = (shown.local_addr().unwrap(), target.local_addr().unwrap());
        wire::send(&inlet.0, Kind::Shown, 8000, "", &[shown.as_fd()]).unwrap();
        // The run's end, as the broker serves it: once a stream, once nobody there.
        let broker = std::thread::spawn(move || {
            for number in [0, libc::ECONNREFUSED] {
                let asked = wire::receive(&inlet.0).unwrap().unwrap();
                assert_eq!((asked.kind, asked.number), (Kind::AskStream, 8000));
                let stream = TcpStream::connect(address.1).unwrap();
                let streams = if number == 0 {
                    vec![stream.as_fd()]
                } else {
                    Vec::new()
                };
                wire::send(&asked.descriptors[0], Kind::Stream, number, "", &streams).unwrap();
            }
        });
        runtime().block_on(async {
            let (port, listener) = front.shown().await.unwrap();
            assert_eq!((port, listener.local_addr().unwrap()), (8000, address.0));
            let mut stream = front.connect(8000).await.unwrap();
            stream.write_all(b"hello").unwrap();
            drop(stream);
            let mut got = String::new();
            target.accept().unwrap().0.read_to_string(&mut got).unwrap();
            assert_eq!(got, "hello");
            let refused = front.connect(8000).await.unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
            broker.join().unwrap();
            // The run has ended.
            assert!(front.shown().await.is_none());
            assert!(front.connect(8000).await.is_err());
        });
    }

    #[test]
    fn an_answer_that_does_not_come_is_none() {
        let (inlet, front) = pair().unwrap();
        let broker = std::thread::spawn(move || drop(wire::receive(&inlet.0)));
        let refused = runtime().block_on(front.connect(1)).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        broker.join().unwrap();
    }
}
