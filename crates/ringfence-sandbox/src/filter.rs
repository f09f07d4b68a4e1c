//! Which system calls the kernel refuses: a seccomp program in classic BPF, built by hand for each architecture.
//!
//! [`program`] gives the instructions; `sys::filter` hands them to the kernel. A crate is not used because none of those
//! looked at can answer `USER_NOTIF`, and because their prologue lets the numbers of x32 through.
//!
//! # What every program does
//!
//! | call | answer | why |
//! |---|---|---|
//! | any, of a foreign architecture | the process is killed | its numbers mean other calls |
//! | x86_64: a number from 0x4000_0000 | `ENOSYS` | x32 names the same calls by other numbers |
//! | `socket`, `socketpair` of a family but UNIX, INET, INET6, NETLINK | `EAFNOSUPPORT` | vsock leaves the network namespace |
//! | `io_uring_setup`, `_enter`, `_register` | `ENOSYS` | a ring opens and connects sockets without system calls |
//! | `keyctl`, `add_key`, `request_key` | `ENOSYS` | keyrings are not behind a namespace |
//! | `ioctl` with `TIOCSTI`, `TIOCLINUX` | `EPERM` | types into the terminal outside |
//! | `bpf`, `open_by_handle_at`, `kexec_*`, `*_module` | `EPERM` | nothing that is started here has a use for them |
//! | `prlimit64` of process 1 | `EPERM` | its limits would keep init from watching and from making sockets |
//!
//! The kernel reads family, type, protocol, flags and the request of `ioctl` as 32 bits, so only the low half is looked at.
//!
//! Stay allowed, each for a reason: `ptrace` and `process_vm_*` (debuggers), `unshare` and `clone` with namespaces (Chromium's
//! own sandbox), `memfd_create`, `userfaultfd` (garbage collectors), `perf_event_open` (the kernel's own setting decides).
//!
//! # With a supervisor
//!
//! [`Filter::Observed`] lets `connect` and `listen` wait until the supervisor has seen them.
//!
//! [`Filter::Supervised`] lets `connect` wait for the supervisor, and refuses `MSG_FASTOPEN`, which would connect without it:
//! `EOPNOTSUPP`, on which clients fall back to `connect`.
//!
//! # Without namespaces
//!
//! [`Filter::NetworkOnly`] leaves the caller in the host's network, where only `connect` is answered by someone. Everything that
//! reaches an address in another way has to go, and where the address lies behind a pointer the socket is refused instead:
//!
//! - INET and INET6 give stream sockets alone (`EACCES`): no UDP, so no DNS of one's own, and no raw sockets;
//! - of the stream protocols TCP and MPTCP alone (`EPROTONOSUPPORT`): SCTP connects by `setsockopt`;
//! - UNIX gives `STREAM` and `SEQPACKET`, which must connect first. `DGRAM`, and `RAW`, which the kernel takes for the same, may
//!   name any address in `sendmsg`: `EACCES`. A pair of datagram sockets may do so as well and goes with them; pairs of the
//!   other two kinds, which is what programs make, stay usable. `syslog` and `sd_notify` do not reach the host.
//!
//! Other processes of the same user, their memory and their descriptors are in reach as far as Yama lets them; nothing here
//! hides them.

/// The architectures for which the numbers of the calls are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// Little-endian x86-64, without x32.
    X86_64,
    /// Little-endian 64-bit ARM.
    Aarch64,
}

impl Architecture {
    /// The one that this program was built for, when it is known.
    #[must_use]
    pub const fn current() -> Option<Self> {
        if cfg!(target_arch = "x86_64") {
            Some(Self::X86_64)
        } else if cfg!(all(target_arch = "aarch64", target_endian = "little")) {
            Some(Self::Aarch64)
        } else {
            None
        }
    }
}

/// What stands around the program that is started, and therefore what the filter must do itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Namespaces hold the network; nobody answers `connect`.
    Full,
    /// Namespaces hold the network, and the supervisor hears of `connect` and `listen`, which go on as they are.
    Observed,
    /// Namespaces hold the network, and the supervisor answers `connect`.
    Supervised,
    /// No namespaces: the supervisor answers `connect`, and what could go around it is refused.
    NetworkOnly,
}

/// One instruction, laid out as the kernel's `struct sock_filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    /// What to do: `BPF_LD`, `BPF_ALU`, `BPF_JMP` or `BPF_RET`, with its mode.
    pub code: u16,
    /// How many instructions to skip when the comparison holds.
    pub jt: u8,
    /// How many to skip when it does not.
    pub jf: u8,
    /// The operand.
    pub k: u32,
}

/// The filter's instructions; always fewer than 300, and the kernel takes 4,096.
///
/// ```
/// use ringfence_sandbox::filter::{Architecture, Filter, program};
/// assert!(program(Architecture::X86_64, Filter::Full).len() < 300);
/// ```
#[must_use]
pub fn program(architecture: Architecture, filter: Filter) -> Vec<Instruction> {
    let calls = match architecture {
        Architecture::X86_64 => &X86_64,
        Architecture::Aarch64 => &AARCH64,
    };
    let mut program = vec![
        load(ARCHITECTURE),
        jump(JEQ, calls.audit, 1, 0),
        ret(KILL),
        load(NUMBER),
    ];
    if architecture == Architecture::X86_64 {
        program.extend([jump(JGE, X32, 0, 1), refuse(ENOSYS)]);
    }
    for (number, body) in rules(calls, filter) {
        // Every path through a body returns, so the number is still loaded where the next rule begins.
        program.push(jump(JEQ, number, 0, distance(&body)));
        program.extend(body);
    }
    program.push(ret(ALLOW));
    program
}

type Body = Vec<Instruction>;

fn rules(calls: &Calls, filter: Filter) -> Vec<(u32, Body)> {
    let mut rules = vec![
        (calls.socket, socket(filter)),
        (calls.socketpair, socketpair(filter)),
        (
            calls.ioctl,
            with(
                load(argument(1)),
                one_of(&[TIOCSTI, TIOCLINUX], just(refuse(EPERM)), just(ret(ALLOW))),
            ),
        ),
    ];
    if filter != Filter::NetworkOnly {
        let of_init = one_of(&[INIT], just(refuse(EPERM)), just(ret(ALLOW)));
        rules.push((calls.prlimit64, with(load(argument(0)), of_init)));
    }
    if filter == Filter::Observed {
        rules.push((calls.connect, just(ret(USER_NOTIF))));
        rules.push((calls.listen, just(ret(USER_NOTIF))));
    } else if filter != Filter::Full {
        rules.push((calls.connect, just(ret(USER_NOTIF))));
        rules.push((calls.sendto, fast_open(3)));
        rules.push((calls.sendmsg, fast_open(2)));
        rules.push((calls.sendmmsg, fast_open(3)));
    }
    rules.extend(calls.absent.map(|number| (number, just(refuse(ENOSYS)))));
    rules.extend(calls.forbidden.map(|number| (number, just(refuse(EPERM)))));
    rules
}

fn socket(filter: Filter) -> Body {
    let family = load(argument(0));
    if filter != Filter::NetworkOnly {
        return with(
            family,
            one_of(&FAMILIES, just(ret(ALLOW)), just(refuse(EAFNOSUPPORT))),
        );
    }
    let protocol = one_of(
        &STREAM_PROTOCOLS,
        just(ret(ALLOW)),
        just(refuse(EPROTONOSUPPORT)),
    );
    let internet = kind(&[STREAM], with(load(argument(2)), protocol));
    let other = one_of(&[AF_NETLINK], just(ret(ALLOW)), just(refuse(EAFNOSUPPORT)));
    let unix = kind(&[STREAM, SEQPACKET], just(ret(ALLOW)));
    with(
        family,
        one_of(
            &[AF_INET, AF_INET6],
            internet,
            one_of(&[AF_UNIX], unix, other),
        ),
    )
}

fn socketpair(filter: Filter) -> Body {
    let unix = match filter {
        Filter::NetworkOnly => kind(&[STREAM, SEQPACKET], just(ret(ALLOW))),
        Filter::Full | Filter::Observed | Filter::Supervised => just(ret(ALLOW)),
    };
    // Of the other families the kernel itself makes no pairs.
    let other = one_of(&FAMILIES, just(ret(ALLOW)), just(refuse(EAFNOSUPPORT)));
    with(load(argument(0)), one_of(&[AF_UNIX], unix, other))
}

/// Goes on to `allowed` when the socket's type, without its flags, is one of `kinds`.
fn kind(kinds: &[u32], allowed: Body) -> Body {
    let mut body = vec![
        load(argument(1)),
        Instruction {
            code: ALU_AND,
            jt: 0,
            jf: 0,
            k: TYPE_MASK,
        },
    ];
    body.extend(one_of(kinds, allowed, just(refuse(EACCES))));
    body
}

fn fast_open(flags: u32) -> Body {
    vec![
        load(argument(flags)),
        jump(JSET, MSG_FASTOPEN, 0, 1),
        refuse(EOPNOTSUPP),
        ret(ALLOW),
    ]
}

/// Compares what is loaded with each value: `hit` when one is equal, else `miss`. Both must return.
fn one_of(values: &[u32], hit: Body, miss: Body) -> Body {
    let mut body = miss;
    for value in values.iter().rev() {
        body.insert(0, jump(JEQ, *value, distance(&body), 0));
    }
    body.extend(hit);
    body
}

fn with(first: Instruction, rest: Body) -> Body {
    let mut body = just(first);
    body.extend(rest);
    body
}

fn just(instruction: Instruction) -> Body {
    vec![instruction]
}

/// How far a jump over `body` goes. The tests hold that no body is longer than a jump can be.
fn distance(body: &[Instruction]) -> u8 {
    u8::try_from(body.len()).unwrap_or(u8::MAX)
}

const fn load(offset: u32) -> Instruction {
    Instruction {
        code: LD_W_ABS,
        jt: 0,
        jf: 0,
        k: offset,
    }
}

const fn jump(code: u16, k: u32, jt: u8, jf: u8) -> Instruction {
    Instruction { code, jt, jf, k }
}

const fn ret(k: u32) -> Instruction {
    Instruction {
        code: RET_K,
        jt: 0,
        jf: 0,
        k,
    }
}

const fn refuse(errno: u32) -> Instruction {
    ret(ERRNO | errno)
}

/// Where the low half of an argument lies in `struct seccomp_data`; both architectures are little-endian.
const fn argument(index: u32) -> u32 {
    16 + 8 * index
}

/// The numbers of the calls: `arch/x86/entry/syscalls/syscall_64.tbl`, `include/uapi/asm-generic/unistd.h`.
struct Calls {
    audit: u32,
    socket: u32,
    socketpair: u32,
    connect: u32,
    listen: u32,
    sendto: u32,
    sendmsg: u32,
    sendmmsg: u32,
    ioctl: u32,
    prlimit64: u32,
    /// `io_uring_setup`, `_enter`, `_register`; `add_key`, `request_key`, `keyctl`.
    absent: [u32; 6],
    /// `bpf`, `open_by_handle_at`, `kexec_load`, `kexec_file_load`, `init_module`, `finit_module`, `delete_module`.
    forbidden: [u32; 7],
}

const X86_64: Calls = Calls {
    audit: 0xC000_003E,
    socket: 41,
    socketpair: 53,
    connect: 42,
    listen: 50,
    sendto: 44,
    sendmsg: 46,
    sendmmsg: 307,
    ioctl: 16,
    prlimit64: 302,
    absent: [425, 426, 427, 248, 249, 250],
    forbidden: [321, 304, 246, 320, 175, 313, 176],
};

const AARCH64: Calls = Calls {
    audit: 0xC000_00B7,
    socket: 198,
    socketpair: 199,
    connect: 203,
    listen: 201,
    sendto: 206,
    sendmsg: 211,
    sendmmsg: 269,
    ioctl: 29,
    prlimit64: 261,
    absent: [425, 426, 427, 217, 218, 219],
    forbidden: [280, 265, 104, 294, 105, 273, 106],
};

/// The process that has set the barrier up, as those inside know it.
const INIT: u32 = 1;

const X32: u32 = 0x4000_0000;

// `struct seccomp_data`
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;

// Instructions: `include/uapi/linux/bpf_common.h`
const LD_W_ABS: u16 = 0x20;
const ALU_AND: u16 = 0x54;
const JEQ: u16 = 0x15;
const JGE: u16 = 0x35;
const JSET: u16 = 0x45;
const RET_K: u16 = 0x06;

// Answers: `include/uapi/linux/seccomp.h`
const KILL: u32 = 0x8000_0000;
const ERRNO: u32 = 0x0005_0000;
const USER_NOTIF: u32 = 0x7fc0_0000;
const ALLOW: u32 = 0x7fff_0000;

// The same on both architectures.
const EPERM: u32 = 1;
const EACCES: u32 = 13;
const ENOSYS: u32 = 38;
const EPROTONOSUPPORT: u32 = 93;
const EOPNOTSUPP: u32 = 95;
const EAFNOSUPPORT: u32 = 97;

const AF_UNIX: u32 = 1;
const AF_INET: u32 = 2;
const AF_INET6: u32 = 10;
const AF_NETLINK: u32 = 16;
const FAMILIES: [u32; 4] = [AF_UNIX, AF_INET, AF_INET6, AF_NETLINK];
const STREAM: u32 = 1;
const SEQPACKET: u32 = 5;
/// What the kernel takes for the type; the rest of the number is `SOCK_NONBLOCK` and `SOCK_CLOEXEC`.
const TYPE_MASK: u32 = 0xf;
/// The default, TCP, and MPTCP, which Go asks for.
const STREAM_PROTOCOLS: [u32; 3] = [0, 6, 262];
const MSG_FASTOPEN: u32 = 0x2000_0000;
const TIOCSTI: u32 = 0x5412;
const TIOCLINUX: u32 = 0x541C;

#[cfg(test)]
mod tests;
