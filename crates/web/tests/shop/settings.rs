//! A setting that can't be used ends the start with a sentence that says what to set.

use std::process::{Command, Output};

use flash_sale_testbed::testing::{Replica, ReplicaSettings, TestDatabase};
use sea_orm::ConnectionTrait;

use crate::{SHOP, new_client, read};

#[test]
fn a_bad_setting_is_named_with_what_it_should_hold() {
    for (name, value, message) in [
        (
            "RACE_WINDOW_MS",
            "abc",
            "RACE_WINDOW_MS=abc: expected a whole number of milliseconds from 0 to 3000",
        ),
        (
            "RACE_WINDOW_MS",
            "3001",
            "RACE_WINDOW_MS=3001: expected a whole number of milliseconds from 0 to 3000",
        ),
        (
            "RETRY_AFTER_MS",
            "-1",
            "RETRY_AFTER_MS=-1: expected a whole number of milliseconds from 0 to 10000",
        ),
        ("RETRY_WITH_IDEMPOTENCY_KEY", "maybe", "RETRY_WITH_IDEMPOTENCY_KEY=maybe: expected true or false"),
        (
            "ALLOWED_HOSTS",
            "shop.example:3000",
            "ALLOWED_HOSTS=shop.example:3000: expected names of hosts without ports, as",
        ),
        ("HOLD_MS", "1h", "HOLD_MS=1h: expected a whole number of milliseconds from 0 to 3600000"),
        ("HOLD_SWEEP_MS", "0", "HOLD_SWEEP_MS=0: expected a whole number of milliseconds from 1 to 3600000"),
        ("PAYMENT_FAILS_PERCENT", "101", "PAYMENT_FAILS_PERCENT=101: expected a whole number from 0 to 100"),
        ("PORT", "0", "PORT=0: expected a port from 1 to 65535"),
        ("PORT", "http", "PORT=http: expected a port from 1 to 65535"),
        ("DATABASE_POOL_SIZE", "0", "DATABASE_POOL_SIZE=0: expected a whole number from 1 to 1000"),
        ("REPLICA_NAME", "replica 1", "REPLICA_NAME=replica 1: expected at most 63 visible ASCII characters"),
        ("ORDER_API_URL", "localhost", "ORDER_API_URL=localhost: expected http://host:port/api/orders"),
        (
            "HOST",
            "no.such.host.invalid",
            "can't listen on no.such.host.invalid:8080. Set HOST and PORT to a free address",
        ),
    ] {
        let output = start(&[("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing"), (name, value)]);

        assert_eq!(output.status.code(), Some(1), "{name}={value}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(&format!("error: {message}")), "{name}={value}: {error}");
    }
}

#[test]
fn without_a_database_it_says_which_variable_is_missing() {
    let output = start(&[]);

    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        error,
        "error: DATABASE_URL is not set: expected postgres://user:password@host:port/database\n"
    );
}

#[test]
fn a_password_is_never_printed() {
    for url in ["mysql://shop:hunter2@127.0.0.1/shop", "hunter2", "postgres://shop:hunter2@:x/"] {
        let output = start(&[("DATABASE_URL", url)]);

        assert_eq!(output.status.code(), Some(1));
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.starts_with("error: DATABASE_URL=(hidden): expected postgres://"), "{error}");
        assert!(!error.contains("hunter2"));
    }
}

#[test]
fn a_file_with_settings_is_read_and_the_shell_wins() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), "RACE_WINDOW_MS=from-file\nPORT=from-file\n").unwrap();
    let database = ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing");

    let output = command(&[database, ("PORT", "8080")]).current_dir(folder.path()).output().unwrap();

    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.starts_with("error: RACE_WINDOW_MS=from-file:"), "{error}");
}

/// 127.0.0.2 is this machine too, by an address that others don't have either: who listens on all hears it.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn without_a_host_it_listens_on_one_address_of_this_machine() {
    let database = TestDatabase::create().await;
    for (host, hears) in [("", false), ("0.0.0.0", true)] {
        let mut settings = ReplicaSettings::new(&database.shop_url);
        settings.variables = vec![("HOST".to_owned(), host.to_owned())];

        let replica = Replica::start(SHOP.as_ref(), settings).await;

        let other = tokio::net::TcpStream::connect(("127.0.0.2", replica.port)).await;
        assert_eq!(other.is_ok(), hears, "HOST={host}");
    }
}

#[tokio::test]
async fn the_address_that_is_logged_answers_also_when_it_has_colons() {
    let database = TestDatabase::create().await;
    let mut settings = ReplicaSettings::new(&database.shop_url);
    // All addresses, those of IPv4 too.
    settings.variables = vec![("HOST".to_owned(), "::".to_owned())];
    if std::net::TcpListener::bind("[::]:0").is_err() {
        return eprintln!("skipped: this machine has no IPv6");
    }

    let replica = Replica::start(SHOP.as_ref(), settings).await;

    let log = replica.log();
    let (_, url) = log.split_once("listens on ").unwrap();
    let url = url.lines().next().unwrap();
    assert_eq!(read(new_client().get(format!("{url}/health"))).await.status, 200, "{url}");
}

/// As in docker-compose.yml, where a password may hold what a URL can't.
#[tokio::test]
async fn the_password_may_stand_outside_of_the_url() {
    let database = TestDatabase::create().await;
    let (user, rest) = database.shop_url.strip_prefix("postgres://").unwrap().split_once(':').unwrap();
    let (password, host) = rest.split_once('@').unwrap();
    let mut settings = ReplicaSettings::new(&format!("postgres://{user}@{host}"));
    settings.variables = vec![("PGPASSWORD".to_owned(), password.to_owned())];

    let replica = Replica::start(SHOP.as_ref(), settings).await;

    assert_eq!(read(new_client().get(format!("{}/ready", replica.url))).await.status, 200);
}

/// What is meant for another server, and a password with what means something in a URL or in a file.
#[tokio::test]
async fn of_postgresqls_own_variables_only_the_password_counts_and_it_may_hold_anything() {
    let database = TestDatabase::create().await;
    let role = format!("role_{}", uuid::Uuid::new_v4().simple());
    let password = r#"p@s/s?w#o:r%41 d$HOME"\é"#;
    let make = format!("CREATE ROLE {role} LOGIN PASSWORD '{password}' IN ROLE flash_sale_shop");
    database.connection.execute_unprepared(&make).await.unwrap();
    let encoded: String = password.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let (_, address) = database.shop_url.split_once('@').unwrap();

    for (url, variable) in [
        (format!("postgres://{role}@{address}"), password),
        (format!("postgres://{role}:{encoded}@{address}"), "another"),
    ] {
        let mut settings = ReplicaSettings::new(&url);
        let foreign = [
            ("PGPASSWORD", variable),
            ("PGOPTIONS", "-c default_transaction_read_only=on"),
            ("PGPORT", "1"),
            ("PGSSLMODE", "verify-full"),
        ];
        settings.variables = foreign.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();

        let replica = Replica::start(SHOP.as_ref(), settings).await;

        let reset = new_client().post(format!("{}/api/reset", replica.url));
        assert_eq!(read(reset).await.status, 200, "{url}");
    }
    database.connection.execute_unprepared(&format!("DROP ROLE {role}")).await.unwrap();
}

fn start(variables: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    command(variables).current_dir(folder.path()).output().unwrap()
}

fn command(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(SHOP);
    command.env_clear().envs(variables.iter().copied());
    command
}
