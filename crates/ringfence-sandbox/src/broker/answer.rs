//! The DNS answerer: declared names have the addresses that they have inside, everything else does not exist, and is told. No
//! question leaves the machine, unless unnamed connections are let through.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::{Broker, is_metadata};
use crate::refusal::Refused;
use ringfence_reach::dns::{self, Answer, Question};
use ringfence_reach::plan::Host;

impl Broker {
    /// Starts to answer on the sockets that init made.
    pub(crate) fn answer(&self, datagrams: OwnedFd, streams: OwnedFd) {
        let datagrams = std::net::UdpSocket::from(datagrams);
        let streams = std::net::TcpListener::from(streams);
        let _ = datagrams.set_nonblocking(true);
        let _ = streams.set_nonblocking(true);
        if let Ok(socket) = UdpSocket::from_std(datagrams) {
            tokio::task::spawn_local(serve_datagrams(self.clone(), std::rc::Rc::new(socket)));
        }
        if let Ok(listener) = TcpListener::from_std(streams) {
            tokio::task::spawn_local(serve_streams(self.clone(), listener));
        }
    }
}

impl Broker {
    /// Starts to answer on the host's loopback, by TCP, for a program without a network of its own.
    pub(crate) async fn answer_outside(&self) -> io::Result<()> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        *super::locked(&self.inner.answerer) = Some(listener.local_addr()?);
        tokio::task::spawn_local(serve_streams(self.clone(), listener));
        Ok(())
    }

    /// Where that is.
    pub(super) fn answerer(&self) -> Option<SocketAddr> {
        *super::locked(&self.inner.answerer)
    }
}

async fn serve_datagrams(broker: Broker, socket: std::rc::Rc<UdpSocket>) {
    let mut buffer = [0; 4096];
    loop {
        // A program that asks faster than it is answered waits.
        let Ok(permit) = broker.inner.questions.clone().acquire_owned().await else {
            return;
        };
        let Ok((length, sender)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        let message = buffer.get(..length).unwrap_or_default().to_vec();
        let (broker, socket) = (broker.clone(), socket.clone());
        tokio::task::spawn_local(async move {
            if let Some(answer) = broker.reply(&message).await {
                // Who asked may have left.
                let _ = socket.send_to(&answer, sender).await;
            }
            drop(permit);
        });
    }
}

async fn serve_streams(broker: Broker, listener: TcpListener) {
    loop {
        let Ok(permit) = broker.inner.questions.clone().acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let broker = broker.clone();
        tokio::task::spawn_local(async move {
            // Who asks in vain for half a minute has left.
            let _ =
                tokio::time::timeout(Duration::from_secs(30), serve_stream(&broker, stream)).await;
            drop(permit);
        });
    }
}

/// Messages with their length before them (RFC 1035, section 4.2.2).
async fn serve_stream(broker: &Broker, mut stream: TcpStream) -> io::Result<()> {
    loop {
        let length = usize::from(stream.read_u16().await?);
        let mut message = vec![0; length];
        stream.read_exact(&mut message).await?;
        let Some(answer) = broker.reply(&message).await else {
            return Ok(());
        };
        stream
            .write_u16(u16::try_from(answer.len()).unwrap_or(0))
            .await?;
        stream.write_all(&answer).await?;
    }
}

impl Broker {
    async fn reply(&self, message: &[u8]) -> Option<Vec<u8>> {
        match dns::read(message) {
            Some(question) => {
                let answer = self.find(&question).await;
                Some(dns::write(&question, answer))
            }
            None => dns::write_format_error(message),
        }
    }

    async fn find(&self, question: &Question) -> Answer {
        let name = question.name.as_str();
        if question.class != dns::INTERNET {
            return Answer::Refused;
        }
        // Without a network of its own the program is given the real addresses, and each connection is looked at.
        if let Some(address) = self
            .inside()
            .names
            .get(name)
            .filter(|_| self.inner.has_own_network)
        {
            return Answer::Address(IpAddr::V4(*address));
        }
        if name == "localhost" || name.ends_with(".localhost") {
            return match question.kind {
                dns::AAAA => Answer::Address(IpAddr::from([0_u16, 0, 0, 0, 0, 0, 0, 1])),
                _ => Answer::Address(IpAddr::from([127, 0, 0, 1])),
            };
        }
        let owner = self.plan().owner_of_name(name).map(str::to_owned);
        let is_declared = self
            .plan()
            .endpoints
            .iter()
            .any(|endpoint| matches!(&endpoint.host, Host::Name(own) if own == name));
        let is_asked_for_host = matches!(question.kind, dns::A | dns::AAAA | dns::ANY);
        if is_declared || (self.lets_through() && owner.is_none()) {
            return if is_asked_for_host {
                self.look_up(question).await
            } else {
                Answer::Empty
            };
        }
        // Searches for services and reverse names go wrong everywhere, and nobody means them.
        if is_asked_for_host && !name.is_empty() {
            self.refuse(Refused::Name, name.to_owned(), owner.as_deref());
        }
        Answer::NoSuchName
    }

    /// Asks the host's resolver, and remembers which name an address was given for.
    async fn look_up(&self, question: &Question) -> Answer {
        let Ok(found) = tokio::net::lookup_host((question.name.as_str(), 0)).await else {
            return Answer::NoSuchName;
        };
        let found: Vec<IpAddr> = found
            .map(|address: SocketAddr| address.ip())
            .filter(|ip| !is_metadata(*ip))
            .collect();
        let wants_six = question.kind == dns::AAAA;
        match found.iter().find(|ip| ip.is_ipv6() == wants_six) {
            Some(ip) => {
                self.remember(*ip, &question.name);
                Answer::Address(*ip)
            }
            None if found.is_empty() => Answer::NoSuchName,
            None => Answer::Empty,
        }
    }
}
