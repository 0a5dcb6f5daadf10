//! The variables that a person's shell and `.env` may hold: those of another server, passwords, mistakes.

mod passwords;

use flash_sale_testbed::http::answers_ok;
use flash_sale_testbed::testing::TestDatabase;
use reqwest::Url;
use tokio::io::copy_bidirectional;
use tokio::net::TcpListener;

use super::*;

/// The variables of a shell that is set up for another server. Each is as harmful as it can be.
const OF_ANOTHER_SERVER: [(&str, &str); 29] = [
    ("PGAPPNAME", "another"),
    ("PGCHANNELBINDING", "require"),
    ("PGCLIENTENCODING", "SQL_ASCII"),
    ("PGCONNECT_TIMEOUT", "nonsense"),
    ("PGCTLTIMEOUT", "0"),
    ("PGDATA", "/nowhere"),
    ("PGDATABASE", "another"),
    ("PGDATESTYLE", "SQL"),
    ("PGGSSENCMODE", "require"),
    ("PGHOST", "another.invalid"),
    ("PGHOSTADDR", "192.0.2.1"),
    ("PGOPTIONS", "-c default_transaction_read_only=on"),
    ("PGPASSFILE", "/nowhere"),
    ("PGPASSWORD", "another"),
    ("PGPORT", "1"),
    ("PGREQUIREAUTH", "none"),
    ("PGREQUIREPEER", "another"),
    ("PGSERVICE", "another"),
    ("PGSERVICEFILE", "/nowhere"),
    ("PGSSLCERT", "/nowhere"),
    ("PGSSLKEY", "/nowhere"),
    ("PGSSLMODE", "verify-full"),
    ("PGSSLROOTCERT", "/nowhere"),
    ("PGSYSCONFDIR", "/nowhere"),
    ("PGTARGETSESSIONATTRS", "standby"),
    ("PGTZ", "Asia/Tokyo"),
    ("PGUSER", "another"),
    ("TZ", "Asia/Tokyo"),
    ("LC_ALL", "xx_XX.nonsense"),
];

#[tokio::test]
async fn variables_of_another_server_reach_neither_the_private_one_nor_psql_nor_the_shop() {
    let mut project = Project::new();
    project.variables = OF_ANOTHER_SERVER.map(|(name, value)| (name, value.to_owned())).to_vec();
    // A file's variables are treated in the same way as the shell's.
    fs::write(project.path().join(".env"), "PGOPTIONS='-c default_transaction_read_only=on'\nPGPORT=1\n")
        .unwrap();

    project.up().await;

    let settings =
        "SELECT concat_ws(' ', current_user, current_database(), current_setting('application_name'),
                    current_setting('default_transaction_read_only'), current_setting('client_encoding'),
                    split_part(current_setting('DateStyle'), ',', 1))";
    let psql = project.run(&["psql", "-Atc", settings]).await;
    assert_eq!(psql.output, "postgres flash_sale psql off UTF8 ISO\n", "{}", psql.errors);
    // A DATABASE_URL doesn't lead psql to another database than that of the running shop either.
    let other = "postgres://nobody@127.0.0.1:1/nowhere";
    let psql =
        project.command(&["psql", "-c", "SELECT 1"]).env("DATABASE_URL", other).output().await.unwrap();
    assert!(psql.status.success());
    assert!(answers_ok(&project.url("/ready")).await);
    assert!(project.run(&["restart"]).await.success);
    // The shop's own connections can write.
    let race =
        ["race", "--json", "--stock", "1", "--buyers", "2", "--rounds", "1", "--strategy", "atomic_update"];
    let race = project.run(&race).await;
    assert!(race.success, "{}", race.errors);
    for pid in all_pids(&project.status().await) {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap();
        let names = environment.split(|byte| *byte == 0).map(|variable| String::from_utf8_lossy(variable));
        let foreign: Vec<_> = names.filter(|variable| variable.starts_with("PG")).collect();
        assert!(foreign.iter().all(|variable| variable.starts_with("PGPASSWORD=")), "{pid}: {foreign:?}");
    }
    fs::remove_file(project.path().join(".env")).unwrap();
    project.run(&["down"]).await;
}

#[tokio::test]
async fn of_these_variables_only_the_password_counts_for_a_database_of_ones_own() {
    let database = TestDatabase::create().await;
    let mut url = Url::parse(&database.url).unwrap();
    let password = url.password().unwrap().to_owned();
    url.set_password(None).unwrap();
    let mut project = Project::new();
    project.variables = OF_ANOTHER_SERVER.map(|(name, value)| (name, value.to_owned())).to_vec();
    project.variables.extend([("PGPASSWORD", password), ("DATABASE_URL", url.to_string())]);

    project.up().await;

    let read_only = project.run(&["psql", "-Atc", "SHOW default_transaction_read_only"]).await;
    assert_eq!(read_only.output, "off\n", "{}", read_only.errors);
    project.run(&["down"]).await;
}

/// The tests that cargo runs are processes that nothing of ours starts. So make has to drop these variables.
#[tokio::test]
async fn make_hands_none_of_these_variables_on_to_the_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = tempfile::tempdir().unwrap();
    let makefile = folder.path().join("Makefile");
    fs::write(&makefile, format!("include {}\nshow:\n\t@env\n", root.join("Makefile").display())).unwrap();

    let make = Command::new("make")
        .args(["-s", "-f"])
        .args([makefile.as_os_str(), "show".as_ref()])
        .current_dir(&root)
        .envs(OF_ANOTHER_SERVER)
        .output();

    let shown = Outcome::of(make.await.unwrap());
    let handed_on: Vec<_> = shown.output.lines().filter(|line| line.starts_with("PG")).collect();
    assert_eq!(handed_on, ["PGPASSWORD=another"], "{}", shown.errors);
}

#[tokio::test]
async fn whatever_the_settings_are_the_shop_can_be_looked_at_and_stopped() {
    let database = TestDatabase::create().await;
    let mut project = Project::on(&database);
    project.up().await;
    project.variables = vec![("PORT", "abc".to_owned()), ("REPLICAS", "nine".to_owned())];
    let dotenv = project.path().join(".env");
    fs::write(&dotenv, "# mine\nPGPASSWORD=hunter2 and more\n").unwrap();
    let line = ".env, line 2: PGPASSWORD: a value with a blank or one of # $ \\ ' \" must be quoted, as in \
                NAME='a value'\n";

    for command in [&["status"][..], &["logs", "--no-follow"], &["hint"], &["down"], &["clean"]] {
        let outcome = project.run(command).await;
        assert!(outcome.success, "{command:?}: {}", outcome.errors);
        assert_eq!(outcome.errors, format!("note: {line}"), "{command:?}");
    }
    for command in [&["up"][..], &["restart"], &["psql"], &["race"], &["drill"], &["watch"], &["check"]] {
        let outcome = project.run(command).await;
        assert!(!outcome.success, "{command:?}");
        assert_eq!(outcome.errors, format!("error: {line}"), "{command:?}");
    }
    fs::remove_file(&dotenv).unwrap();
    // psql needs one of the settings.
    project.variables.push(("DATABASE_URL", database.url.clone()));
    assert!(project.run(&["psql", "-c", "SELECT 1"]).await.success);
}

#[tokio::test]
async fn psql_and_the_shop_connect_alike() {
    let database = TestDatabase::create().await;
    let mut url = Url::parse(&database.url).unwrap();
    // The address is one of IPv6, in brackets, as URLs have it.
    let door = TcpListener::bind("[::1]:0").await.unwrap();
    let server = (url.host_str().unwrap().to_owned(), url.port().unwrap());
    url.set_host(Some("[::1]")).unwrap();
    url.set_port(Some(door.local_addr().unwrap().port())).unwrap();
    let forwarding = tokio::spawn(async move {
        loop {
            let (mut client, _) = door.accept().await.unwrap();
            let mut server = tokio::net::TcpStream::connect(server.clone()).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
        }
    });
    url.set_query(Some(
        "sslmode=disable&application_name=a+shop&options=-c%20work_mem%3D7MB&options[geqo]=off",
    ));
    let mut project = Project::new();
    project.variables = vec![("DATABASE_URL", url.into())];
    project.up().await;

    let settings = "SELECT concat_ws(' ', current_setting('application_name'), current_setting('work_mem'),
                    current_setting('geqo'), current_setting('lock_timeout'))";
    let psql = project.run(&["psql", "-Atc", settings]).await;

    assert_eq!(psql.output, "a shop 7MB off 0\n", "{}", psql.errors);
    assert!(answers_ok(&project.url("/ready")).await);
    project.run(&["down"]).await;
    forwarding.abort();
}

#[tokio::test]
async fn a_restart_hands_on_what_is_set_now_and_nothing_else() {
    let database = TestDatabase::create().await;
    let mut project = Project::on(&database);
    let dotenv = project.path().join(".env");
    let given = project.variables.clone();
    project.variables.push(("ALLOWED_HOSTS", "one.example".to_owned()));
    project.up().await;
    assert_eq!(project.names_that_answer().await, ["one.example"]);

    project.variables = given;
    assert!(project.run(&["restart"]).await.success);
    assert!(project.names_that_answer().await.is_empty());

    fs::write(&dotenv, "ALLOWED_HOSTS=two.example\n").unwrap();
    // A replica doesn't take new settings by itself: one that is started again has the same settings as before,
    // also when the file has become unreadable.
    kill_a_replica(&project).await;
    assert!(project.names_that_answer().await.is_empty());
    assert!(project.run(&["restart"]).await.success);
    assert_eq!(project.names_that_answer().await, ["two.example"]);

    fs::write(&dotenv, "ALLOWED_HOSTS=two.example and more\n").unwrap();
    kill_a_replica(&project).await;
    assert_eq!(project.names_that_answer().await, ["two.example"]);
    fs::remove_file(&dotenv).unwrap();
    assert!(project.run(&["restart"]).await.success);
    assert!(project.names_that_answer().await.is_empty());
    project.run(&["down"]).await;
}

impl Project {
    /// Asks both replicas which names they answer to.
    pub(super) async fn names_that_answer(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        for name in ["one.example", "two.example"] {
            let mut statuses = Vec::new();
            for replica in self.status().await["replicas"].as_array().unwrap() {
                let url = format!("http://127.0.0.1:{}/health", replica["process"]["port"]);
                let http = reqwest::Client::builder().no_proxy().build().unwrap();
                statuses.push(http.get(url).header("Host", name).send().await.unwrap().status().as_u16());
            }
            match statuses[..] {
                [200, 200] => names.push(name),
                [421, 421] => {}
                _ => panic!("{name}: {statuses:?}"),
            }
        }
        names
    }
}

/// Kills a replica, and returns when there is another one.
async fn kill_a_replica(project: &Project) {
    let before = replica_pids(&project.status().await);
    kill(before[0]);
    wait_until("another one runs", async || {
        let now = replica_pids(&project.status().await);
        now.len() == 2 && now[0] != before[0]
    })
    .await;
}
