//! Checks that every printed address answers, whatever `HOST` is, and whatever the machine takes `localhost` for.

use std::net::UdpSocket;

use flash_sale_testbed::testing::TestDatabase;

use super::*;

#[tokio::test]
async fn the_address_that_is_printed_answers_and_check_finds_the_shop_whatever_host_is() {
    let database = TestDatabase::create().await;
    for host in [Some("127.0.0.2".to_owned()), Some("[::1]".to_owned()), Some("::".to_owned()), own_address()]
    {
        let Some(host) = host else {
            eprintln!("skipped: this machine has no address but its own");
            continue;
        };
        let mut project = Project::on(&database);
        project.variables.push(("HOST", host.clone()));
        let up = project.run(&["up"]).await;
        if up.errors.contains("this machine does not have that address") {
            eprintln!("skipped: no {host} here");
            continue;
        }
        assert!(up.success, "{host}: {}", up.errors);

        let url = printed_url(&up.output);
        assert!(flash_sale_testbed::http::answers_ok(&format!("{url}/health")).await, "{host}: {url}");
        assert_eq!(project.status().await["url"].as_str(), Some(url), "{host}");
        let check = project.run(&["check", "--rounds=1"]).await;
        assert_ne!(check.code, 2, "{host}: {}", check.errors);

        project.run(&["down"]).await;
    }
}

#[tokio::test]
async fn an_address_that_this_machine_does_not_have_is_named() {
    let mut project = Project::new();
    // This address is for documentation: no machine has it (RFC 5737).
    project.variables.push(("HOST", "203.0.113.7".to_owned()));

    let up = project.run(&["up"]).await;

    assert_eq!(up.errors, "error: HOST=203.0.113.7: this machine does not have that address\n");
}

/// The test needs another /etc/hosts. Only root can put one in its place.
#[tokio::test]
async fn nobody_needs_to_know_what_localhost_is() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    let hosts = project.path().join("hosts");
    let within = async |arguments: &[&str]| {
        let lab = project.command(arguments);
        let mut command = Command::new("unshare");
        let bind = r#"mount --bind hosts /etc/hosts && exec "$0" "$@""#;
        command.args(["--mount", "/bin/sh", "-c", bind, LAB]).args(arguments).current_dir(project.path());
        let variables = lab.as_std().get_envs();
        command.envs(variables.filter_map(|(name, value)| Some((name, value?))));
        Outcome::of(command.output().await.unwrap())
    };
    fs::write(&hosts, "").unwrap();
    let without = within(&["down"]).await;
    if !without.success {
        return eprintln!("skipped: only root can have another /etc/hosts: {}", without.errors);
    }

    let check = &["check", "--rounds=1"][..];
    let race = &["race", "--stock=1", "--buyers=2", "--rounds=1", "--strategy=nowait"];
    for (text, command) in [("", check), ("::1 localhost\n", race)] {
        fs::write(&hosts, text).unwrap();
        let up = within(&["up"]).await;
        assert_eq!(printed_url(&up.output), format!("http://127.0.0.1:{}", project.port), "{}", up.errors);
        let judged = within(command).await;
        assert!(!judged.output.is_empty() && !judged.errors.contains("error"), "{}", judged.errors);
        within(&["down"]).await;
    }
}

#[track_caller]
fn printed_url(output: &str) -> &str {
    let line = output.lines().find_map(|line| line.strip_prefix("The shop is open: "));
    line.unwrap_or_else(|| panic!("{output}"))
}

/// An address by which others reach this machine. It is the one from which the machine would send. Nothing is sent.
fn own_address() -> Option<String> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("203.0.113.7:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback()).then(|| address.to_string())
}
