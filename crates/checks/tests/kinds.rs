//! What each kind of check makes of a machine's answers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use checks::{Answer, Answers, Check, Checks};

/// The words of a verdict on the only check of `text`, when its questions are answered in order by these.
#[track_caller]
fn told(text: &str, answers: &[Answer]) -> String {
    let checks = Checks::parse("checks.toml", text).unwrap();
    let mut all = checks.iter();
    let check: &Check = all.next().unwrap();
    assert!(all.next().is_none(), "one check at a time");
    let questions = check.questions();
    assert_eq!(questions.len(), answers.len(), "{questions:?}");
    let verdict = check.judge(&questions.into_iter().zip(answers.iter().cloned()).collect::<Answers>());
    let mark = if verdict.fails() { "✗" } else { "✓" };
    format!("{mark} {}: {}", check.claim(), verdict.lines().join("; "))
}

fn said(stdout: &str) -> Answer {
    Answer { stdout: stdout.to_owned(), ..Answer::default() }
}

fn failed(exit: i32, stderr: &str) -> Answer {
    Answer { exit, stderr: stderr.to_owned(), ..Answer::default() }
}

const MOUNTS: &str = "\
22 1 0:40 / / rw,relatime - overlay overlay rw,lowerdir=/a:/b,upperdir=/c
35 22 0:31 / /proc rw,nosuid - proc proc rw
60 22 7:12 / /data rw,noatime shared:3 - ext4 /dev/xvdcy rw,errors=remount-ro
61 22 7:13 / /var/lib/my\\040files ro,relatime - xfs /dev/xvdcz rw
62 22 0:50 / /over ro - tmpfs tmpfs rw
63 62 0:51 / /over rw - tmpfs tmpfs rw
";

#[test]
fn mounts() {
    let mounts = said(MOUNTS);
    let data = "[mount]\npath = '/data'\n";
    let cases = [
        (data.to_owned(), vec![mounts.clone()], "✓ /data is mounted: /dev/xvdcy, ext4"),
        (
            format!(
                "{data}device = '/dev/xvdcy'\nlabel = 'docker'\ntype = 'ext4'\noptions = ['noatime', 'rw']\nsize = '19GiB'"
            ),
            vec![mounts.clone(), said("7:c\n"), said("docker\n"), said("4096 5095040\n")],
            "✓ /data is mounted: /dev/xvdcy, label docker, ext4, rw,noatime,errors=remount-ro, 19.4 GiB",
        ),
        (
            format!("{data}device = '/dev/sdcy'"),
            vec![mounts.clone(), said("7:c\n")],
            "✓ /data is mounted: /dev/sdcy (as /dev/xvdcy), ext4",
        ),
        (
            format!("{data}device = '/dev/xvdcz'"),
            vec![mounts.clone(), said("7:d\n")],
            "✗ /data is mounted: expected /dev/xvdcz, found /dev/xvdcy",
        ),
        (
            format!("{data}device = '/dev/xvdf'"),
            vec![mounts.clone(), failed(1, "stat: cannot stat '/dev/xvdf': No such file or directory")],
            "✗ /data is mounted: expected /dev/xvdf, found /dev/xvdcy (there is no /dev/xvdf)",
        ),
        (
            format!("{data}label = 'docker'"),
            vec![mounts.clone(), failed(2, "")],
            "✗ /data is mounted: expected label docker, found no label",
        ),
        (
            format!("{data}label = 'docker'"),
            vec![mounts.clone(), failed(127, "sh: blkid: not found")],
            "✗ /data is mounted: cannot tell: sh: blkid: not found (exit code 127)",
        ),
        (
            format!("{data}type = 'xfs'\noptions = ['noexec']\nsize = '100GiB'"),
            vec![mounts.clone(), said("4096 5095040\n")],
            "✗ /data is mounted: expected xfs, found ext4; expected option noexec, found \
             rw,noatime,errors=remount-ro; expected at least 100.0 GiB, found 19.4 GiB",
        ),
        (
            "[mount]\npath = '/var/lib/my files'\noptions = ['rw']".to_owned(),
            vec![mounts.clone()],
            "✗ /var/lib/my files is mounted: expected option rw, found ro,relatime,rw",
        ),
        (
            "[mount]\npath = '/over'\noptions = ['rw']".to_owned(),
            vec![mounts.clone()],
            "✓ /over is mounted: tmpfs, tmpfs, rw",
        ),
        (
            "[mount]\npath = '/srv'".to_owned(),
            vec![mounts.clone()],
            "✗ /srv is mounted: expected a file system, found nothing",
        ),
        (
            "[mount]\npath = '/srv'\nmounted = false".to_owned(),
            vec![mounts.clone()],
            "✓ nothing is mounted at /srv: nothing",
        ),
        (
            "[mount]\npath = '/data'\nmounted = false".to_owned(),
            vec![mounts],
            "✗ nothing is mounted at /data: expected nothing, found /dev/xvdcy, ext4",
        ),
        (
            data.to_owned(),
            vec![failed(1, "cat: /proc/self/mountinfo: No such file or directory")],
            "✗ /data is mounted: cannot tell: cat: /proc/self/mountinfo: No such file or directory (exit code 1)",
        ),
    ];
    for (text, answers, expected) in cases {
        assert_eq!(told(&text, &answers), expected);
    }
}

#[test]
fn files() {
    let file = "[file]\npath = '/etc/x'\n";
    let regular = said("644 0 root 0 root 12 regular file\n");
    let link = said("777 0 root 0 root 4 symbolic link\n");
    let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let cases = [
        (file.to_owned(), vec![regular.clone(), regular.clone()], "✓ /etc/x exists: a file"),
        (
            format!("{file}mode = '0644'\nowner = 'root'\ngroup = '0'\nsize = 12"),
            vec![regular.clone(), regular.clone()],
            "✓ /etc/x is as it should be: a file, mode 0644, owner root, group root, 12 bytes",
        ),
        (
            format!(
                "{file}mode = '0600'\nowner = 'ec2-user'\ngroup = '10'\nsize = '1KiB'\ntype = 'directory'"
            ),
            vec![regular.clone(), regular.clone()],
            "✗ /etc/x is a directory: expected a directory, found a file; expected mode 0600, found mode 0644; \
             expected owner ec2-user, found owner root; expected group 10, found group root; \
             expected 1.0 KiB, found 12 bytes",
        ),
        (
            format!("{file}sha256 = '{}'", digest.to_uppercase()),
            vec![regular.clone(), regular.clone(), said(&format!("{digest}  -\n"))],
            "✓ /etc/x is as it should be: a file, SHA-256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
        (
            format!("{file}sha256 = '{digest}'"),
            vec![regular.clone(), regular.clone(), failed(1, "sh: sha256sum: Input/output error")],
            "✗ /etc/x is as it should be: cannot tell: sh: sha256sum: Input/output error (exit code 1)",
        ),
        (format!("{file}type = 'file'"), vec![link.clone(), regular.clone()], "✓ /etc/x is a file: a file"),
        (
            format!("{file}target = '/etc/y'"),
            vec![link.clone(), said("/etc/y\n")],
            "✓ /etc/x is a symbolic link to /etc/y: a symbolic link, target /etc/y",
        ),
        (
            format!("{file}target = '/etc/y'"),
            vec![link.clone(), said("/etc/z\n")],
            "✗ /etc/x is a symbolic link to /etc/y: expected target /etc/y, found target /etc/z",
        ),
        (
            format!("{file}target = '/etc/y'"),
            vec![regular.clone(), failed(1, "")],
            "✗ /etc/x is a symbolic link to /etc/y: expected a symbolic link, found a file",
        ),
        (
            file.to_owned(),
            vec![link.clone(), failed(1, "stat: cannot stat '/etc/x': No such file or directory")],
            "✗ /etc/x exists: expected something there, found a symbolic link that leads to nothing",
        ),
        (
            file.to_owned(),
            vec![said("absent\n"), said("absent\n")],
            "✗ /etc/x exists: expected something there, found nothing",
        ),
        (format!("{file}exists = false"), vec![said("absent\n")], "✓ /etc/x does not exist: it does not"),
        (
            format!("{file}exists = false"),
            vec![link],
            "✗ /etc/x does not exist: expected nothing there, found a symbolic link, mode 0777, 4 bytes",
        ),
        (
            file.to_owned(),
            vec![said("something else\n"), said("something else\n")],
            "✗ /etc/x exists: cannot tell: stat says \"something else\"",
        ),
        (
            "[file]\nglob = '/var/log/ecs/*'\nexists = false".to_owned(),
            vec![said("")],
            "✓ there is no file /var/log/ecs/*: none",
        ),
        (
            "[file]\nglob = '/var/log/ecs/*'\nexists = false".to_owned(),
            vec![said("/var/log/ecs/a\n/var/log/ecs/b\n/var/log/ecs/c\n")],
            "✗ there is no file /var/log/ecs/*: expected none, found /var/log/ecs/a and 2 more",
        ),
        (
            "[file]\nglob = '/var/log/ecs/*'".to_owned(),
            vec![said("")],
            "✗ there is a file /var/log/ecs/*: expected at least one, found none",
        ),
    ];
    for (text, answers, expected) in cases {
        assert_eq!(told(&text, &answers), expected);
    }
}

#[test]
fn lines() {
    let content =
        said("server 169.254.169.123 prefer iburst\r\n# server 0\nrestrict ::1\n\nrestrict 127.0.0.1");
    let line = "[line]\nfile = '/etc/ntp.conf'\n";
    let cases = [
        (
            format!("{line}equals = 'restrict 127.0.0.1'"),
            content.clone(),
            "✓ /etc/ntp.conf has a line \"restrict 127.0.0.1\": line 5",
        ),
        (
            format!("{line}contains = 'prefer'"),
            content.clone(),
            "✓ /etc/ntp.conf has a line containing \"prefer\": line 1",
        ),
        (
            format!("{line}matches = '^restrict'\ncount = 2"),
            content.clone(),
            "✓ /etc/ntp.conf has exactly 2 lines matching /^restrict/: lines 3, 5",
        ),
        (
            format!("{line}matches = '^server'\ncount = 2"),
            content.clone(),
            "✗ /etc/ntp.conf has exactly 2 lines matching /^server/: \
             expected exactly 2 lines matching /^server/, found line 1",
        ),
        (
            format!("{line}equals = 'server'"),
            content.clone(),
            "✗ /etc/ntp.conf has a line \"server\": expected a line \"server\", found none among 5 lines",
        ),
        (
            format!("{line}contains = 'pool'\nabsent = true"),
            content.clone(),
            "✓ /etc/ntp.conf has no line containing \"pool\": none among 5 lines",
        ),
        (
            format!("{line}contains = 'server'\nabsent = true"),
            content,
            "✗ /etc/ntp.conf has no line containing \"server\": \
             expected no line containing \"server\", found lines 1, 2",
        ),
        (
            format!("{line}contains = 'x'\nmatches = '^x'\ncount = 1"),
            said(&"x\n".repeat(9)),
            "✗ /etc/ntp.conf has exactly one line containing \"x\" and matching /^x/: \
             expected exactly one line containing \"x\" and matching /^x/, found 9 lines, the first being 1, 2, 3",
        ),
        (
            format!("{line}contains = 'pool'\nabsent = true"),
            failed(1, "cat: /etc/ntp.conf: No such file or directory\n"),
            "✗ /etc/ntp.conf has no line containing \"pool\": \
             cannot tell: cat: /etc/ntp.conf: No such file or directory (exit code 1)",
        ),
    ];
    for (text, answer, expected) in cases {
        assert_eq!(told(&text, &[answer]), expected);
    }
}

#[test]
fn packages() {
    let docker = "[package]\npackage = 'docker'\n";
    let cases = [
        (
            docker.to_owned(),
            "asked dpkg\ndpkg install ok installed|20.10.24+dfsg1-1+b3\n",
            "✓ package docker is installed: version 20.10.24+dfsg1-1+b3 (dpkg)",
        ),
        (
            format!("{docker}version = '>= 17.09, < 18'"),
            "asked rpm\nrpm (none):17.09.1ce-1.111.amzn1\n",
            "✓ package docker is installed, version >= 17.09, < 18: version 17.09.1ce-1.111.amzn1 (rpm)",
        ),
        (
            format!("{docker}version = '>= 18'"),
            "asked rpm\nrpm (none):17.09.1ce-1.111.amzn1\n",
            "✗ package docker is installed, version >= 18: expected version >= 18, found version 17.09.1ce-1.111.amzn1 (rpm)",
        ),
        (
            docker.to_owned(),
            "asked dpkg\nasked rpm\npackage docker is not installed\n",
            "✗ package docker is installed: expected the package, found none",
        ),
        (
            docker.to_owned(),
            "asked dpkg\ndpkg deinstall ok config-files|20.10\n",
            "✗ package docker is installed: expected the package, found none",
        ),
        (
            docker.to_owned(),
            "asked dpkg\nasked rpm\nrpm (none):20.10.24-1\n",
            "✓ package docker is installed: version 20.10.24-1 (rpm)",
        ),
        (
            format!("{docker}installed = false"),
            "asked rpm\npackage docker is not installed\n",
            "✓ package docker is not installed: none",
        ),
        (
            format!("{docker}installed = false"),
            "asked rpm\nrpm 2:1.0-1\n",
            "✗ package docker is not installed: expected no such package, found version 2:1.0-1 (rpm)",
        ),
        (
            docker.to_owned(),
            "asked rpm\nerror: cannot open Packages database in /var/lib/rpm\n",
            "✗ package docker is installed: cannot tell: rpm says \"error: cannot open Packages database in /var/lib/rpm\"",
        ),
        (
            docker.to_owned(),
            "",
            "✗ package docker is installed: cannot tell: the machine has neither dpkg nor rpm",
        ),
    ];
    for (text, answer, expected) in cases {
        assert_eq!(told(&text, &[said(answer)]), expected);
    }
}

#[test]
fn services() {
    let off = "[service]\nservice = 'docker'\nenabled = false\nrunning = false";
    let on = "[service]\nservice = 'docker'\nenabled = true\nrunning = true";
    let systemd = |load: &str, active: &str, sub: &str, file: &str| {
        format!(
            "Init=systemd\nLoadState={load}\nActiveState={active}\nSubState={sub}\nUnitFileState={file}\n"
        )
    };
    let cases = [
        (
            off,
            systemd("loaded", "inactive", "dead", "disabled"),
            "✓ service docker is disabled and stopped: disabled, inactive (dead)",
        ),
        (
            on,
            systemd("loaded", "active", "running", "enabled"),
            "✓ service docker is enabled and running: enabled, active (running)",
        ),
        (
            on,
            systemd("loaded", "failed", "failed", "static"),
            "✗ service docker is enabled and running: expected enabled, found static; \
             expected running, found failed (failed)",
        ),
        (
            on,
            systemd("loaded", "activating", "start", "enabled"),
            "✗ service docker is enabled and running: expected running, found activating (start)",
        ),
        (
            off,
            systemd("loaded", "deactivating", "stop", "disabled"),
            "✗ service docker is disabled and stopped: expected stopped, found deactivating (stop)",
        ),
        (
            off,
            systemd("masked", "inactive", "dead", "masked"),
            "✓ service docker is disabled and stopped: masked, inactive (dead)",
        ),
        (
            off,
            systemd("not-found", "inactive", "dead", ""),
            "✗ service docker is disabled and stopped: expected a service, found none of this name",
        ),
        (
            on,
            systemd("loaded", "active", "running", "generated") + "Link=/etc/rc3.d/S95docker\n",
            "✓ service docker is enabled and running: enabled (/etc/rc3.d/S95docker), active (running)",
        ),
        (
            off,
            systemd("loaded", "inactive", "dead", "generated"),
            "✓ service docker is disabled and stopped: disabled, inactive (dead)",
        ),
        (
            on,
            systemd("bad-setting", "inactive", "dead", ""),
            "✗ service docker is enabled and running: cannot tell: systemd could not load it: \"bad-setting\"",
        ),
        (
            on,
            "Init=upstart\nStatus=docker start/running, process 2301\nStartOn=yes\n".to_owned(),
            "✓ service docker is enabled and running: starts by itself, docker start/running, process 2301",
        ),
        (
            off,
            "Init=upstart\nStatus=docker stop/waiting\nStartOn=yes\nManual=yes\n".to_owned(),
            "✓ service docker is disabled and stopped: manual, docker stop/waiting",
        ),
        (
            off,
            "Init=upstart\nStatus=docker start/pre-start, process 7\nStartOn=yes\n".to_owned(),
            "✗ service docker is disabled and stopped: expected disabled, found starts by itself; \
             expected stopped, found docker start/pre-start, process 7",
        ),
        (
            off,
            "Init=upstart\nStatus=initctl: Unknown job: docker\n".to_owned(),
            "✗ service docker is disabled and stopped: cannot tell: initctl says \"initctl: Unknown job: docker\"",
        ),
        (
            on,
            "Init=sysv\nExit=0\nLink=/etc/rc3.d/S95docker\nLink=/etc/rc5.d/S95docker\n".to_owned(),
            "✓ service docker is enabled and running: enabled (/etc/rc3.d/S95docker), running",
        ),
        (
            off,
            "Init=sysv\nExit=3\n".to_owned(),
            "✓ service docker is disabled and stopped: disabled, stopped",
        ),
        (
            off,
            "Init=sysv\nExit=4\n".to_owned(),
            "✗ service docker is disabled and stopped: cannot tell: its init script answers `status` with exit code 4",
        ),
        (
            off,
            "Init=none\n".to_owned(),
            "✗ service docker is disabled and stopped: expected a service, found none of this name",
        ),
        (
            off,
            String::new(),
            "✗ service docker is disabled and stopped: cannot tell: the machine's init says \"\"",
        ),
    ];
    for (text, answer, expected) in cases {
        assert_eq!(told(text, &[said(&answer)]), expected);
    }
}

#[test]
fn users_and_groups() {
    let entry = said("ec2-user:x:500:501:EC2 Default User:/home/ec2-user:/bin/bash\n");
    let user = "[user]\nuser = 'ec2-user'\n";
    let group = "[group]\ngroup = 'docker'\n";
    let cases = [
        (user.to_owned(), vec![entry.clone()], "✓ user ec2-user exists: uid 500, gid 501"),
        (
            format!(
                "{user}uid = 500\ngid = 501\ngroups = ['wheel', 'docker']\nhome = '/home/ec2-user'\nshell = '/bin/bash'"
            ),
            vec![entry.clone(), said("ec2-user wheel docker\n")],
            "✓ user ec2-user exists: uid 500, gid 501, home /home/ec2-user, shell /bin/bash, groups ec2-user, wheel, docker",
        ),
        (
            format!("{user}uid = 1\ngid = 2\ngroups = ['wheel', 'docker']\nhome = '/'\nshell = '/bin/sh'"),
            vec![entry.clone(), said("ec2-user wheel\n")],
            "✗ user ec2-user exists: expected uid 1, found uid 500; expected gid 2, found gid 501; expected home /, \
             found home /home/ec2-user; expected shell /bin/sh, found shell /bin/bash; expected groups with docker, \
             found groups ec2-user, wheel",
        ),
        (user.to_owned(), vec![failed(2, "")], "✗ user ec2-user exists: expected such a user, found none"),
        (format!("{user}exists = false"), vec![failed(2, "")], "✓ user ec2-user does not exist: none"),
        (
            format!("{user}exists = false"),
            vec![entry],
            "✗ user ec2-user does not exist: expected no such user, found one with uid 500",
        ),
        (user.to_owned(), vec![said("what\n")], "✗ user ec2-user exists: cannot tell: getent says \"what\""),
        (
            user.to_owned(),
            vec![failed(127, "sh: getent: not found")],
            "✗ user ec2-user exists: cannot tell: sh: getent: not found (exit code 127)",
        ),
        (
            format!("{group}gid = 497\nmembers = 'ec2-user'"),
            vec![said("docker:x:497:ec2-user,app\n")],
            "✓ group docker exists: gid 497, members ec2-user, app",
        ),
        (
            format!("{group}gid = 4\nmembers = ['app']"),
            vec![said("docker:x:497:\n")],
            "✗ group docker exists: expected gid 4, found gid 497; expected members with app, found no members",
        ),
        (group.to_owned(), vec![failed(2, "")], "✗ group docker exists: expected such a group, found none"),
        (format!("{group}exists = false"), vec![failed(2, "")], "✓ group docker does not exist: none"),
        (
            format!("{group}exists = false"),
            vec![said("docker:x:497:\n")],
            "✗ group docker does not exist: expected no such group, found one with gid 497",
        ),
    ];
    for (text, answers, expected) in cases {
        assert_eq!(told(&text, &answers), expected);
    }
}

#[test]
fn ports() {
    // 0.0.0.0:22, 127.0.0.1:51678, [::]:22, [::1]:631
    let sockets = "00000000:0016\n0100007F:C9DE\n00000000000000000000000000000000:0016\n\
                   00000000000000000000000001000000:0277\n";
    let cases = [
        ("port = 22", sockets, "✓ something listens on 22/tcp: somebody at 0.0.0.0, ::"),
        (
            "port = 22\naddress = '::'",
            sockets,
            "✓ something listens on 22/tcp at ::: somebody at 0.0.0.0, ::",
        ),
        (
            "port = 51678\naddress = '0.0.0.0'",
            sockets,
            "✗ something listens on 51678/tcp at 0.0.0.0: expected somebody at 0.0.0.0, found somebody at 127.0.0.1",
        ),
        ("port = 631\naddress = '::1'", sockets, "✓ something listens on 631/tcp at ::1: somebody at ::1"),
        (
            "port = 80\nprotocol = 'udp'",
            sockets,
            "✗ something listens on 80/udp: expected somebody, found nobody",
        ),
        ("port = 80\nlistening = false", sockets, "✓ nothing listens on 80/tcp: nobody"),
        (
            "port = 22\nlistening = false",
            sockets,
            "✗ nothing listens on 22/tcp: expected nobody, found somebody at 0.0.0.0, ::",
        ),
        (
            "port = 51678\nlistening = false\naddress = '0.0.0.0'",
            sockets,
            "✓ nothing listens on 51678/tcp at 0.0.0.0: somebody at 127.0.0.1",
        ),
        (
            "port = 22",
            "é0000000:0016\n",
            "✗ something listens on 22/tcp: cannot tell: the kernel's list of sockets cannot be read",
        ),
    ];
    for (text, answer, expected) in cases {
        assert_eq!(told(&format!("[port]\n{text}"), &[said(answer)]), expected);
    }
}

#[test]
fn commands() {
    let run = "[command]\nrun = 'docker info'\n";
    let answer = |exit, stdout: &str, stderr: &str| Answer {
        exit,
        stdout: stdout.to_owned(),
        stderr: stderr.to_owned(),
        too_long: None,
    };
    let cases = [
        (run.to_owned(), answer(0, "", ""), "✓ `docker info` exits with 0: exit code 0"),
        (
            format!("{run}exit = 3\nuser = 'ec2-user'"),
            answer(3, "", "no\n"),
            "✓ `docker info` as ec2-user exits with 3: exit code 3, standard error \"no\"",
        ),
        (
            run.to_owned(),
            answer(127, "", "sh: docker: not found\n"),
            "✗ `docker info` exits with 0: expected exit code 0, found exit code 127, standard error \"sh: docker: not found\"",
        ),
        (
            format!("{run}stdout_matches = '^Driver: overlay2$'\nstdout_contains = 'Driver'"),
            answer(0, "Server:\nDriver: overlay2\nx\n", ""),
            "✓ `docker info` exits with 0: exit code 0, standard output \"Server:\\nDriver: overlay2\\nx\"",
        ),
        (
            format!("{run}stdout = 'x'\nstderr_contains = 'warning'"),
            answer(0, "y\n", "fine\n"),
            "✗ `docker info` exits with 0: expected standard output \"x\", found standard output \"y\"; \
             expected standard error containing \"warning\", found standard error \"fine\"",
        ),
        (
            format!("{run}timeout = '2s'"),
            answer(124, "", ""),
            "✗ `docker info` exits with 0: expected its end within 2s, found it still running",
        ),
        (format!("{run}exit = 124"), answer(124, "", ""), "✓ `docker info` exits with 124: exit code 124"),
        (
            "[command]\nrun = '''\nset -e\ntrue\n'''".to_owned(),
            answer(1, "", ""),
            "✗ `set -e …` exits with 0: expected exit code 0, found exit code 1",
        ),
    ];
    for (text, answer, expected) in cases {
        assert_eq!(told(&text, &[answer]), expected);
    }
}

#[test]
fn time_zones() {
    let zone = "[time_zone]\nzone = 'US/Eastern'";
    let cases = [
        ("aa\naa\n/usr/share/zoneinfo/US/Eastern\nEST\n", "✓ the time zone is US/Eastern: US/Eastern (EST)"),
        (
            "aa\naa\n/usr/share/zoneinfo/America/New_York\nEST\n",
            "✓ the time zone is US/Eastern: America/New_York (EST)",
        ),
        ("aa\naa\n/etc/localtime\nEST\n", "✓ the time zone is US/Eastern: a zone of its own (EST)"),
        (
            "bb\naa\n/usr/share/zoneinfo/UTC\nUTC\n",
            "✗ the time zone is US/Eastern: expected US/Eastern, found UTC (UTC)",
        ),
        (
            "missing\naa\n/etc/localtime\nUTC\n",
            "✗ the time zone is US/Eastern: expected US/Eastern, found no /etc/localtime (UTC)",
        ),
        (
            "missing\nmissing\n/etc/localtime\nUTC\n",
            "✗ the time zone is US/Eastern: cannot tell: the machine's zone database has no US/Eastern",
        ),
        ("aa\n", "✗ the time zone is US/Eastern: cannot tell: the machine says \"aa\" of its time zone"),
    ];
    for (answer, expected) in cases {
        assert_eq!(told(zone, &[said(answer)]), expected);
    }
}

#[test]
fn kernel_parameters() {
    let cases = [
        (
            "parameter = 'net.ipv4.ip_forward'\nvalue = '1'",
            said("1\n"),
            "✓ kernel parameter net.ipv4.ip_forward is \"1\": \"1\"",
        ),
        (
            "parameter = 'net.ipv4.ip_local_port_range'\nvalue = '1024 65000'",
            said("32768\t60999\n"),
            "✗ kernel parameter net.ipv4.ip_local_port_range is \"1024 65000\": expected \"1024 65000\", found \"32768 60999\"",
        ),
        (
            "parameter = 'kernel.version'\nmatches = 'SMP'",
            said("#1 SMP\n"),
            "✓ kernel parameter kernel.version is something matching /SMP/: \"#1 SMP\"",
        ),
        (
            "parameter = 'kernel.nothing'\nvalue = '1'",
            failed(1, "cat: /proc/sys/kernel/nothing: No such file or directory"),
            "✗ kernel parameter kernel.nothing is \"1\": cannot tell: \
             cat: /proc/sys/kernel/nothing: No such file or directory (exit code 1)",
        ),
    ];
    for (text, answer, expected) in cases {
        assert_eq!(told(&format!("[kernel_parameter]\n{text}"), &[answer]), expected);
    }
}

#[test]
fn names_of_kernel_parameters_become_paths_by_sysctls_rule() {
    for (name, path) in [
        ("net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "/proc/sys/net/ipv4/ip_forward"),
        ("net.ipv4.conf.eth0/1.forwarding", "/proc/sys/net/ipv4/conf/eth0.1/forwarding"),
        ("net/ipv4/conf/eth0.1/forwarding", "/proc/sys/net/ipv4/conf/eth0.1/forwarding"),
    ] {
        let text = format!("[kernel_parameter]\nparameter = '{name}'\nvalue = '1'");
        let checks = Checks::parse("checks.toml", &text).unwrap();
        assert!(checks.iter().next().unwrap().questions()[0].command.ends_with(path), "{name}");
    }
}

#[test]
fn environments() {
    let proxy = "[environment]\nvariable = 'PROXY'\n";
    let cases = [
        (
            proxy.to_owned(),
            said("hello\n\ndrydock-environment\nhttp://a\n"),
            "✓ variable PROXY of root is set: \"http://a\"",
        ),
        (
            format!("{proxy}value = 'http://b'\nuser = 'app'"),
            said("\ndrydock-environment\nhttp://a\n"),
            "✗ variable PROXY of app is \"http://b\": expected \"http://b\", found \"http://a\"",
        ),
        (
            format!("{proxy}matches = '^$'"),
            said("\ndrydock-environment\n\n"),
            "✓ variable PROXY of root is something matching /^$/: \"\"",
        ),
        (
            proxy.to_owned(),
            said("\ndrydock-environment\n"),
            "✗ variable PROXY of root is set: expected a value, found no value",
        ),
        (
            format!("{proxy}set = false"),
            said("\ndrydock-environment\n"),
            "✓ variable PROXY of root is not set: no value",
        ),
        (
            format!("{proxy}set = false"),
            said("\ndrydock-environment\nx\n"),
            "✗ variable PROXY of root is not set: expected no value, found \"x\"",
        ),
        (
            format!("{proxy}user = 'app'"),
            failed(
                1,
                "su: user app does not exist or the user entry does not contain all the required fields",
            ),
            "✗ variable PROXY of app is set: cannot tell: \
             su: user app does not exist or the user entry does not contain all the required fields (exit code 1)",
        ),
    ];
    for (text, answer, expected) in cases {
        assert_eq!(told(&text, &[answer]), expected);
    }
}

#[test]
fn docker_images() {
    let image = "[docker_image]\nimage = 'amazon/amazon-ecs-agent:latest'\n";
    let cases = [
        (
            image.to_owned(),
            said("sha256:ab\n"),
            "✓ Docker has the image amazon/amazon-ecs-agent:latest: sha256:ab",
        ),
        (
            image.to_owned(),
            failed(1, "Error: No such image: amazon/amazon-ecs-agent:latest"),
            "✗ Docker has the image amazon/amazon-ecs-agent:latest: expected the image, found no such image",
        ),
        (
            format!("{image}present = false"),
            failed(1, "Error: No such image: amazon/amazon-ecs-agent:latest"),
            "✓ Docker does not have the image amazon/amazon-ecs-agent:latest: no such image",
        ),
        (
            format!("{image}present = false"),
            said("sha256:ab\n"),
            "✗ Docker does not have the image amazon/amazon-ecs-agent:latest: expected no such image, found sha256:ab",
        ),
        (
            format!("{image}present = false"),
            failed(1, "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."),
            "✗ Docker does not have the image amazon/amazon-ecs-agent:latest: cannot tell: \
             Cannot connect to the Docker daemon at unix:///var/run/docker.sock. (exit code 1)",
        ),
    ];
    for (text, answer, expected) in cases {
        assert_eq!(told(&text, &[answer]), expected);
    }
}

/// What holds of every kind: no answer, an answer that was cut, or one that took too long never passes.
#[test]
fn what_is_not_known_does_not_hold() {
    let all = "
        [[mount]]\npath = '/x'\nmounted = false
        [[file]]\npath = '/x'\nexists = false
        [[file]]\nglob = '/x*'\nexists = false
        [[line]]\nfile = '/x'\ncontains = 'x'\nabsent = true
        [[package]]\npackage = 'x'\ninstalled = false
        [[service]]\nservice = 'x'\nenabled = false
        [[user]]\nuser = 'x'\nexists = false
        [[group]]\ngroup = 'x'\nexists = false
        [[port]]\nport = 1\nlistening = false
        [[command]]\nrun = 'x'\nstdout = ''
        [[time_zone]]\nzone = 'x'
        [[kernel_parameter]]\nparameter = 'x'\nmatches = ''
        [[environment]]\nvariable = 'x'\nset = false
        [[docker_image]]\nimage = 'x'\npresent = false
    ";
    let checks = Checks::parse("checks.toml", all).unwrap();
    let ways = [
        None,
        Some(Answer { exit: 124, ..Answer::default() }),
        Some(Answer { too_long: Some(9_000_000), ..Answer::default() }),
        Some(failed(126, "Permission denied")),
    ];
    for way in ways {
        for check in checks.iter() {
            let answers: Answers = way
                .iter()
                .flat_map(|answer| check.questions().into_iter().map(|question| (question, answer.clone())))
                .collect();
            let verdict = check.judge(&answers);
            assert!(verdict.fails(), "{} with {way:?}: {verdict:?}", check.kind);
        }
    }
}
