use super::*;
use proptest::prelude::*;

const BOTH: [Architecture; 2] = [Architecture::X86_64, Architecture::Aarch64];
/// In the order of their strictness. `Observed` is `Full` but for two calls, and has a test of its own.
const ALL: [Filter; 3] = [Filter::Full, Filter::Supervised, Filter::NetworkOnly];

/// What the kernel shows the program.
#[derive(Clone, Copy, Debug)]
struct Data {
    number: u32,
    audit: u32,
    arguments: [u64; 6],
}

impl Data {
    fn word(&self, offset: u32) -> Option<u32> {
        let argument = |at: u32| self.arguments.get(usize::try_from(at).ok()?).copied();
        match offset {
            0 => Some(self.number),
            4 => Some(self.audit),
            16..64 if offset.is_multiple_of(8) => Some(argument((offset - 16) / 8)? as u32),
            20..64 if offset.is_multiple_of(4) => Some((argument((offset - 20) / 8)? >> 32) as u32),
            _ => None,
        }
    }
}

/// The kernel's interpreter, for the instructions that are used; `None` where the kernel would not have taken the program.
fn run(program: &[Instruction], data: &Data) -> Option<u32> {
    let (mut at, mut a) = (0usize, 0u32);
    loop {
        let Instruction { code, jt, jf, k } = *program.get(at)?;
        at += 1;
        let skip = |holds: bool| usize::from(if holds { jt } else { jf });
        match code {
            LD_W_ABS => a = data.word(k)?,
            ALU_AND => a &= k,
            JEQ => at += skip(a == k),
            JGE => at += skip(a >= k),
            JSET => at += skip(a & k != 0),
            RET_K => return Some(k),
            _ => return None,
        }
    }
}

fn said(action: u32) -> String {
    match (action & 0xffff_0000, action & 0xffff) {
        (KILL, _) => "kill".into(),
        (ALLOW, _) => "allow".into(),
        (USER_NOTIF, _) => "ask".into(),
        (ERRNO, EPERM) => "EPERM".into(),
        (ERRNO, EACCES) => "EACCES".into(),
        (ERRNO, ENOSYS) => "ENOSYS".into(),
        (ERRNO, EPROTONOSUPPORT) => "EPROTONOSUPPORT".into(),
        (ERRNO, EOPNOTSUPP) => "EOPNOTSUPP".into(),
        (ERRNO, EAFNOSUPPORT) => "EAFNOSUPPORT".into(),
        other => format!("{other:?}"),
    }
}

fn calls(architecture: Architecture) -> &'static Calls {
    match architecture {
        Architecture::X86_64 => &X86_64,
        Architecture::Aarch64 => &AARCH64,
    }
}

/// The answers of the three filters, which must be the same on both architectures.
fn check(number: impl Fn(&Calls) -> u32, arguments: [u64; 6], expected: [&str; 3]) {
    for architecture in BOTH {
        let calls = calls(architecture);
        let data = Data {
            number: number(calls),
            audit: calls.audit,
            arguments,
        };
        for (filter, expected) in ALL.into_iter().zip(expected) {
            let action = run(&program(architecture, filter), &data).unwrap();
            assert_eq!(
                said(action),
                expected,
                "{architecture:?} {filter:?} {data:x?}"
            );
        }
    }
}

const NONBLOCK_CLOEXEC: u64 = 0o2_004_000;
const HIGH: u64 = 0xdead_beef_0000_0000;

#[test]
fn families() {
    for (family, expected) in [
        (1, "allow"),
        (2, "allow"),
        (10, "allow"),
        (16, "allow"),
        (0, "EAFNOSUPPORT"),
        (4, "EAFNOSUPPORT"),
        (17, "EAFNOSUPPORT"),
        (38, "EAFNOSUPPORT"),
        (40, "EAFNOSUPPORT"),
        (43, "EAFNOSUPPORT"),
        (44, "EAFNOSUPPORT"),
        (0x1_0000_0000_u64 | 40, "EAFNOSUPPORT"),
        (HIGH | 2, "allow"),
        (HIGH | 40, "EAFNOSUPPORT"),
        (0xffff_ffff, "EAFNOSUPPORT"),
        (0x1_0001, "EAFNOSUPPORT"),
    ] {
        check(|calls| calls.socket, [family, 1, 0, 0, 0, 0], [expected; 3]);
        check(
            |calls| calls.socketpair,
            [family, 1, 0, 0, 0, 0],
            [expected; 3],
        );
    }
}

#[test]
fn types_without_namespaces() {
    for (family, kind, protocol, expected) in [
        (2, 1, 0, "allow"),
        (2, 1, 6, "allow"),
        (10, 1, 262, "allow"),
        (10, 1, 132, "EPROTONOSUPPORT"),
        (2, 1, 256, "EPROTONOSUPPORT"),
        (2, 1 | NONBLOCK_CLOEXEC, 0, "allow"),
        (2, HIGH | 1, HIGH | 6, "allow"),
        (2, 2, 0, "EACCES"),
        (10, 2 | NONBLOCK_CLOEXEC, 17, "EACCES"),
        (2, HIGH | 2, 0, "EACCES"),
        (2, 3, 1, "EACCES"),
        (10, 3, 58, "EACCES"),
        (2, 5, 132, "EACCES"),
        (2, 0x11, 0, "allow"),
        (1, 1, 0, "allow"),
        (1, 5 | NONBLOCK_CLOEXEC, 0, "allow"),
        (1, 2, 0, "EACCES"),
        (1, 3, 0, "EACCES"),
        (1, 2 | NONBLOCK_CLOEXEC, 0, "EACCES"),
        (16, 3, 0, "allow"),
        (16, 2, 9, "allow"),
    ] {
        check(
            |calls| calls.socket,
            [family, kind, protocol, 0, 0, 0],
            ["allow", "allow", expected],
        );
    }
}

#[test]
fn pairs_without_namespaces() {
    for (kind, expected) in [
        (1, "allow"),
        (5 | NONBLOCK_CLOEXEC, "allow"),
        (2, "EACCES"),
        (3, "EACCES"),
    ] {
        check(
            |calls| calls.socketpair,
            [1, kind, 0, 0, 0, 0],
            ["allow", "allow", expected],
        );
    }
}

#[test]
fn connecting() {
    check(
        |calls| calls.connect,
        [3, 0x7fff_0000_1000, 16, 0, 0, 0],
        ["allow", "ask", "ask"],
    );
    let fast = u64::from(MSG_FASTOPEN);
    let refused = ["allow", "EOPNOTSUPP", "EOPNOTSUPP"];
    for flags in [fast, fast | 0x4000, HIGH | fast] {
        check(|calls| calls.sendto, [3, 0, 0, flags, 0, 0], refused);
        check(|calls| calls.sendmsg, [3, 0, flags, 0, 0, 0], refused);
        check(|calls| calls.sendmmsg, [3, 0, 1, flags, 0, 0], refused);
    }
    for flags in [0, 0x4000, fast << 32] {
        check(
            |calls| calls.sendto,
            [3, fast, fast, flags, fast, 0],
            ["allow"; 3],
        );
        check(
            |calls| calls.sendmsg,
            [3, fast, flags, fast, 0, 0],
            ["allow"; 3],
        );
        check(
            |calls| calls.sendmmsg,
            [3, fast, fast, flags, 0, 0],
            ["allow"; 3],
        );
    }
}

#[test]
fn terminals() {
    for (request, expected) in [
        (0x5412, "EPERM"),
        (0x541C, "EPERM"),
        (0xdead_0000_5412, "EPERM"),
        (0x5413, "allow"),
        (0x1_5412, "allow"),
        (0x8010_5412, "allow"),
    ] {
        check(|calls| calls.ioctl, [0, request, 0, 0, 0, 0], [expected; 3]);
    }
}

#[test]
fn limits_of_init() {
    let refused = ["EPERM", "EPERM", "allow"];
    for process in [1, HIGH | 1] {
        check(|calls| calls.prlimit64, [process, 7, 0, 0, 0, 0], refused);
    }
    for process in [0, 2, 4242, 1 << 32] {
        check(
            |calls| calls.prlimit64,
            [process, 7, 1, 1, 0, 0],
            ["allow"; 3],
        );
    }
}

#[test]
fn absent_and_forbidden() {
    for at in 0..6 {
        check(|calls| calls.absent[at], [0; 6], ["ENOSYS"; 3]);
    }
    for at in 0..7 {
        check(|calls| calls.forbidden[at], [u64::MAX; 6], ["EPERM"; 3]);
    }
}

/// The numbers again, from the C library's headers, on the machine that has them.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn numbers() {
    let number = |number: libc::c_long| u32::try_from(number).unwrap();
    assert_eq!(X86_64.socket, number(libc::SYS_socket));
    assert_eq!(X86_64.socketpair, number(libc::SYS_socketpair));
    assert_eq!(X86_64.connect, number(libc::SYS_connect));
    assert_eq!(X86_64.sendto, number(libc::SYS_sendto));
    assert_eq!(X86_64.sendmsg, number(libc::SYS_sendmsg));
    assert_eq!(X86_64.sendmmsg, number(libc::SYS_sendmmsg));
    assert_eq!(X86_64.ioctl, number(libc::SYS_ioctl));
    assert_eq!(X86_64.prlimit64, number(libc::SYS_prlimit64));
    let absent = [
        libc::SYS_io_uring_setup,
        libc::SYS_io_uring_enter,
        libc::SYS_io_uring_register,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_keyctl,
    ];
    assert_eq!(X86_64.absent, absent.map(number));
    let forbidden = [
        libc::SYS_bpf,
        libc::SYS_open_by_handle_at,
        libc::SYS_kexec_load,
        libc::SYS_kexec_file_load,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_delete_module,
    ];
    assert_eq!(X86_64.forbidden, forbidden.map(number));
}

#[test]
fn foreign_architectures_are_killed() {
    for (architecture, foreign) in [
        (Architecture::X86_64, 0x4000_0003),
        (Architecture::X86_64, AARCH64.audit),
        (Architecture::Aarch64, 0x4000_0028),
        (Architecture::Aarch64, X86_64.audit),
    ] {
        for filter in ALL {
            let data = Data {
                number: 1,
                audit: foreign,
                arguments: [0; 6],
            };
            assert_eq!(
                run(&program(architecture, filter), &data)
                    .map(said)
                    .as_deref(),
                Some("kill")
            );
        }
    }
}

#[test]
fn x32_does_not_exist() {
    for number in [
        0x4000_0000 | 41,
        0x4000_0000,
        0x4000_0000 | 514,
        0x7fff_ffff,
        0x8000_0000,
        u32::MAX,
    ] {
        let data = Data {
            number,
            audit: X86_64.audit,
            arguments: [40, 1, 0, 0, 0, 0],
        };
        for filter in ALL {
            assert_eq!(
                run(&program(Architecture::X86_64, filter), &data)
                    .map(said)
                    .as_deref(),
                Some("ENOSYS")
            );
        }
    }
}

#[test]
fn what_stays_allowed() {
    // ptrace, process_vm_readv, unshare, clone, clone3, memfd_create, userfaultfd, perf_event_open, bind, sendfile
    let x86_64 = [101, 310, 272, 56, 435, 319, 323, 298, 49, 40];
    let aarch64 = [117, 270, 97, 220, 435, 279, 282, 241, 200, 71];
    for (architecture, numbers) in [
        (Architecture::X86_64, x86_64),
        (Architecture::Aarch64, aarch64),
    ] {
        for number in numbers {
            let data = Data {
                number,
                audit: calls(architecture).audit,
                arguments: [u64::MAX; 6],
            };
            for filter in ALL {
                assert_eq!(
                    run(&program(architecture, filter), &data)
                        .map(said)
                        .as_deref(),
                    Some("allow"),
                    "{number}"
                );
            }
        }
    }
}

/// What the kernel checks when it takes a program (`bpf_check_classic`, `seccomp_check_filter`).
#[test]
fn the_kernel_would_take_it() {
    for architecture in BOTH {
        for filter in ALL {
            let program = program(architecture, filter);
            assert!(program.len() < 300, "{}", program.len());
            for (at, instruction) in program.iter().enumerate() {
                if matches!(instruction.code, JEQ | JGE | JSET) {
                    assert!(at + 1 + usize::from(instruction.jt) < program.len());
                    assert!(at + 1 + usize::from(instruction.jf) < program.len());
                    assert!(
                        instruction.jt < u8::MAX && instruction.jf < u8::MAX,
                        "a jump that was cut short"
                    );
                }
                if instruction.code == LD_W_ABS {
                    assert!(instruction.k % 4 == 0 && instruction.k < 64);
                }
            }
            assert_eq!(program.last().map(|last| last.code), Some(RET_K));
        }
    }
    assert_eq!(size_of::<Instruction>(), 8);
}

fn architectures() -> impl Strategy<Value = Architecture> {
    prop::sample::select(BOTH.to_vec())
}

proptest! {
    /// Whatever is called, one of the known answers is given.
    #[test]
    fn every_call_is_answered(
        architecture in architectures(),
        filter in prop::sample::select(ALL.to_vec()),
        number in prop_oneof![0u32..600, any::<u32>()],
        audit in prop_oneof![Just(X86_64.audit), Just(AARCH64.audit), any::<u32>()],
        arguments in any::<[u64; 6]>(),
    ) {
        let action = run(&program(architecture, filter), &Data { number, audit, arguments });
        let known = ["kill", "allow", "ask", "EPERM", "EACCES", "ENOSYS", "EPROTONOSUPPORT", "EOPNOTSUPP", "EAFNOSUPPORT"];
        let said = said(action.unwrap());
        prop_assert!(known.contains(&said.as_str()), "{}", said);
        prop_assert!(audit == calls(architecture).audit || said == "kill");
    }

    /// What is observed is what stays allowed: two calls are asked about, and nothing else differs.
    #[test]
    fn observing_changes_two_calls(
        architecture in architectures(),
        number in 0u32..600,
        arguments in any::<[u64; 6]>(),
    ) {
        let data = Data { number, audit: calls(architecture).audit, arguments };
        let [full, observed] = [Filter::Full, Filter::Observed].map(|filter| said(run(&program(architecture, filter), &data).unwrap()));
        let is_asked = [calls(architecture).connect, calls(architecture).listen].contains(&number);
        prop_assert_eq!(observed, if is_asked { "ask".to_owned() } else { full });
    }

    /// No stricter filter allows what a looser one refuses, and none without a supervisor asks one.
    #[test]
    fn stricter_filters_only_take_away(
        architecture in architectures(),
        number in 0u32..600,
        arguments in prop::array::uniform6(prop_oneof![0u64..64, any::<u64>()]),
    ) {
        let data = Data { number, audit: calls(architecture).audit, arguments };
        let [full, supervised, alone] = ALL.map(|filter| said(run(&program(architecture, filter), &data).unwrap()));
        prop_assert_ne!(&full, "ask");
        prop_assert!(full == "allow" || (full == supervised && full == alone));
        prop_assert!(supervised == "allow" || supervised == alone);
    }

    /// Without namespaces nothing sends to an address but through `connect`: INET is TCP, UNIX has no datagrams.
    #[test]
    fn no_socket_that_needs_no_connection(architecture in architectures(), arguments in any::<[u64; 3]>(), family in 0u32..48) {
        let [high, kind, protocol] = arguments;
        let arguments = [high & HIGH | u64::from(family), kind, protocol, 0, 0, 0];
        let data = Data { number: calls(architecture).socket, audit: calls(architecture).audit, arguments };
        if said(run(&program(architecture, Filter::NetworkOnly), &data).unwrap()) == "allow" {
            let kind = kind as u32 & TYPE_MASK;
            let harmless = match family {
                AF_UNIX => kind == STREAM || kind == SEQPACKET,
                AF_INET | AF_INET6 => kind == STREAM && STREAM_PROTOCOLS.contains(&(protocol as u32)),
                other => other == AF_NETLINK,
            };
            prop_assert!(harmless, "{:?}", data);
        }
    }
}
