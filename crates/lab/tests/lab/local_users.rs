//! Other users of the same machine: what they can't get, and what they can't stop.

use std::time::Duration;

use flash_sale_lab::control::messages::Wanted;
use flash_sale_testbed::own_files;
use flash_sale_testbed::shop_settings::ShopVariables;
use flash_sale_testbed::testing::TestDatabase;

use super::attacker::{Attack, Attacker, Order, why_not};
use super::*;

/// The shop has a private PostgreSQL, and runs under the umask that opens everything.
#[tokio::test]
async fn another_user_gets_no_lock_no_file_no_socket_and_no_signal_through() {
    if let Some(why) = why_not().await {
        return eprintln!("{why}");
    }
    let project = Project::new();
    let up = project.command(&["up"]);
    let up = under_umask("000", up).output().await.unwrap();
    assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));

    for attack in [Attack::Locks, Attack::Files, Attack::Socket, Attack::Signals] {
        let loot = Attacker::start(&Order::of(&project, attack, 0.5).await).await.end().await;

        assert!(loot.tries > 10, "{loot:?}");
        assert!(loot.got.is_empty(), "{attack:?}: {:#?}", loot.got);
    }
    assert!(project.answers().await);
    project.run(&["down"]).await;
}

/// Somebody may have changed the socket's mode.
#[tokio::test]
async fn even_through_an_open_socket_another_user_is_not_heard() {
    if let Some(why) = why_not().await {
        return eprintln!("{why}");
    }
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;
    fs::set_permissions(project.path().join(CONTROL_SOCKET), fs::Permissions::from_mode(0o666)).unwrap();

    let loot = Attacker::start(&Order::of(&project, Attack::Socket, 0.5).await).await.end().await;

    assert_eq!(loot.got.into_iter().collect::<Vec<_>>(), ["a connection to control.sock"]);
    let log = fs::read_to_string(project.path().join(LAB_LOG)).unwrap();
    assert!(log.contains("only the user who started the shop, and root, can give it commands"), "{log}");
    project.run(&["down"]).await;
}

/// The lock is like that of a user who had opened the file while an earlier version had left it open to all.
#[tokio::test]
async fn a_lock_of_somebody_else_on_a_replicas_log_stops_nothing() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;
    let path = project.path().join(".flash-sale/logs/replica-1.log");
    let before = replica_pids(&project.status().await)[0];
    fs::remove_file(&path).unwrap();
    let theirs = own_files::open_to_append(&path).unwrap();
    theirs.try_lock().unwrap();

    kill(before);
    // Until the process has ended, the kernel may accept connections for it, and requests on them
    // get no answer.
    wait_until("it has ended", async || is_gone(before)).await;

    let restarted = async {
        let is_new = |pids: Vec<u32>| pids.len() == 2 && !pids.contains(&before);
        while !is_new(replica_pids(&project.status().await)) {
            wait_until("the other replica answers meanwhile", async || project.answers().await).await;
        }
    };
    let limit = Duration::from_secs(10);
    tokio::time::timeout(limit, restarted).await.expect("the shop doesn't wait for the lock");
    assert!(project.run(&["restart"]).await.success);
    let log = fs::read_to_string(project.path().join(LAB_LOG)).unwrap();
    let said = "somebody else has locked .flash-sale/logs/replica-1.log: the replica runs without that lock. Process ";
    assert!(log.contains(said), "{log}");
    drop(theirs);
    project.run(&["down"]).await;
}

#[tokio::test]
async fn no_variable_but_the_shops_own_reaches_a_replica() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;
    let before = replica_pids(&project.status().await);
    let binary = Path::new(LAB).with_file_name("flash-sale-web");
    let url = "postgres://flash_sale_shop:x@evil.example/flash_sale";

    for (name, value) in
        [("LD_PRELOAD", "/tmp/evil.so"), ("PATH", "/tmp"), ("DATABASE_URL", url), ("HOST", "0.0.0.0")]
    {
        let variables = ShopVariables::from([(name.to_owned(), value.to_owned())]);
        let wanted = Wanted { binary: binary.clone(), variables: variables.clone(), only_if_changed: false };

        for request in [Request::Run(wanted), Request::Lend(variables)] {
            let refused = format!(
                "{name} is not one of the shop's variables, so it is not passed on. See .env.example"
            );
            assert_eq!(project.ask(&request).await, Event::Failed(refused));
        }
    }
    assert_eq!(replica_pids(&project.status().await), before);
    project.run(&["down"]).await;
}

#[tokio::test]
async fn what_is_no_request_is_answered_and_too_many_commands_at_once_are_told_so() {
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    project.up().await;
    let failed = async |bytes: Vec<u8>| {
        let mut socket = UnixStream::connect(project.path().join(CONTROL_SOCKET)).await.unwrap();
        let _ = socket.write_all(&bytes).await;
        let last = tokio::time::timeout(Duration::from_secs(20), last_event(socket, |_| {})).await;
        match last.expect("an answer").unwrap() {
            Some(Event::Failed(why)) => why,
            other => panic!("{other:?}"),
        }
    };

    let unknown = failed(b"{\"fly\":1}\n".to_vec()).await;
    assert!(unknown.starts_with("the running shop doesn't know this request: "), "{unknown}");
    assert!(unknown.contains("make stop run"), "{unknown}");
    let long = failed(vec![b' '; 64 * 1024]).await;
    assert_eq!(long, "a request is a line of at most 65536 bytes");
    let silent = failed(Vec::new()).await;
    assert_eq!(silent, "no request came within 5 s");

    let mut open = Vec::new();
    for _ in 0..64 {
        open.push(UnixStream::connect(project.path().join(CONTROL_SOCKET)).await.unwrap());
    }
    let more = failed(Vec::new()).await;
    assert!(more.starts_with("64 commands talk to the shop already. "), "{more}");
    // Connections that say nothing are ended.
    wait_until("a command is heard again", async || project.run(&["status"]).await.success).await;
    project.run(&["down"]).await;
}

/// When make has made the folder under `umask 000`, somebody else may have put something into it
/// before the lab did.
#[tokio::test]
async fn what_another_user_has_put_into_an_open_folder_is_not_used() {
    if let Some(why) = why_not().await {
        return eprintln!("{why}");
    }
    let database = TestDatabase::create().await;
    let project = Project::on(&database);
    let state = project.path().join(".flash-sale");
    fs::create_dir(&state).unwrap();
    let theirs = tempfile::tempdir().unwrap();
    let nobody = Some(super::attacker::NOBODY);
    std::os::unix::fs::chown(theirs.path(), nobody, nobody).unwrap();
    std::os::unix::fs::symlink(theirs.path(), state.join("logs")).unwrap();

    let up = project.run(&["up"]).await;

    assert!(up.errors.contains("can't use .flash-sale/logs: Permission denied"), "{}", up.errors);
    assert_eq!(fs::read_dir(theirs.path()).unwrap().count(), 0);
    fs::remove_file(state.join("logs")).unwrap();
}

/// Runs a command of the lab under this umask.
fn under_umask(umask: &str, lab: Command) -> Command {
    let lab = lab.into_std();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!(r#"umask {umask} && exec "$0" "$@""#), LAB]).args(lab.get_args());
    command.current_dir(lab.get_current_dir().unwrap()).stdin(Stdio::null());
    for (name, value) in lab.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}
