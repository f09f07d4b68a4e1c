//! What supervisor and init, and supervisor and front, say to each other: short messages on a socket that nobody else has, some with descriptors.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// Most descriptors in one message: the kernel takes 253 (`SCM_MAX_FD`).
pub(crate) const MOST_DESCRIPTORS: usize = 200;
const MOST_BYTES: usize = 4096;

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// To the supervisor: a step failed. Number: the error's; text: step and subject.
    Failed = 1,
    /// To the supervisor: sockets that listen, in the order of the list both sides have.
    Listeners,
    /// To the supervisor: the sockets of the DNS answerer (UDP, TCP) and one that lists listeners.
    Services,
    /// To the supervisor: the program is about to be executed; with the descriptor of the filter that asks about connections.
    Filter,
    /// To the supervisor: the program could not be executed. Number: the error's.
    NotExecuted,
    /// To the supervisor: the program is about to be executed, and nobody asks about its connections.
    Started,
    /// To the supervisor: the program was stopped. Number: the signal.
    Stopped,
    /// To the supervisor, answering [`Kind::AskStopped`]. Number: 1 if it is.
    IsStopped,
    /// To the supervisor: the program has ended. Number: its wait status; text: how many processes it left.
    Ended,
    /// To the supervisor, answering [`Kind::AskSockets`] or [`Kind::AskListener`]; number: an error's, or 0.
    Sockets,
    /// To the supervisor: something protected has appeared. Text: its path.
    Appeared,
    /// To the supervisor: something has appeared where something must not.
    Look,
    /// To init: a signal for the program. Number: the signal.
    Signal,
    /// To init: whether the program is stopped.
    AskStopped,
    /// To init: sockets of the inner network. Number: 4 or 6 for TCP over IPv4 or IPv6; text: how many.
    AskSockets,
    /// To init: a socket that listens. Text: address and port.
    AskListener,
    /// To the front: a socket that listens on the host's loopback. Number: the program's port.
    Shown,
    /// To the supervisor, from the front: a stream to the program. Number: the port; the answer goes to the descriptor.
    AskStream,
    /// To the front, answering [`Kind::AskStream`]. Number: an error's, or 0.
    Stream,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        let all = [
            Self::Failed,
            Self::Listeners,
            Self::Services,
            Self::Filter,
            Self::NotExecuted,
            Self::Started,
            Self::Stopped,
            Self::IsStopped,
            Self::Ended,
            Self::Sockets,
            Self::Appeared,
            Self::Look,
            Self::Signal,
            Self::AskStopped,
            Self::AskSockets,
            Self::AskListener,
            Self::Shown,
            Self::AskStream,
            Self::Stream,
        ];
        all.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// A message.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) kind: Kind,
    pub(crate) number: i32,
    pub(crate) text: String,
    pub(crate) descriptors: Vec<OwnedFd>,
}

/// Sends a message.
pub(crate) fn send(
    socket: impl AsFd,
    kind: Kind,
    number: i32,
    text: &str,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let mut bytes = vec![kind as u8];
    bytes.extend(number.to_ne_bytes());
    bytes.extend(text.bytes().take(MOST_BYTES - 5));
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::other("too many descriptors for one message"));
    }
    loop {
        match sendmsg(
            &socket,
            &[IoSlice::new(&bytes)],
            &mut ancillary,
            SendFlags::NOSIGNAL,
        ) {
            Err(rustix::io::Errno::INTR) => {}
            result => return result.map(|_| ()).map_err(Into::into),
        }
    }
}

/// Receives a message; `None` when the other side is gone.
pub(crate) fn receive(socket: impl AsFd) -> io::Result<Option<Message>> {
    let mut bytes = [0; MOST_BYTES];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let mut slices = [IoSliceMut::new(&mut bytes)];
        match recvmsg(
            &socket,
            &mut slices,
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        ) {
            Err(rustix::io::Errno::INTR) => {}
            result => break result?,
        }
    };
    let descriptors = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let descriptors: Vec<OwnedFd> = descriptors.flatten().collect();
    if received.bytes == 0 {
        return Ok(None);
    }
    let whole = !received
        .flags
        .intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC);
    let read = || {
        let (head, text) = bytes.get(..received.bytes)?.split_first_chunk::<5>()?;
        let [kind, number @ ..] = head;
        Some(Message {
            kind: Kind::of(*kind)?,
            number: i32::from_ne_bytes(*number),
            text: String::from_utf8_lossy(text).into_owned(),
            descriptors,
        })
    };
    whole
        .then(read)
        .flatten()
        .map(Some)
        .ok_or_else(|| io::Error::other("a message on the control socket makes no sense"))
}

/// A netlink message with its header (`netlink(7)`).
pub(crate) fn netlink_message(kind: u16, flags: i32, body: &[u8]) -> Vec<u8> {
    const HEADER: usize = 16;
    let length = u32::try_from(HEADER + body.len()).unwrap_or(0);
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend(u16::try_from(flags).unwrap_or(0).to_ne_bytes());
    message.extend(1_u32.to_ne_bytes());
    message.extend(0_u32.to_ne_bytes());
    message.extend(body);
    message
}
