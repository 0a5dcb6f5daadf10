//! The role that the shop works as: made by the migration, and confined to the rows.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use flash_sale_migration::{RIGHTS, admit_shop, migrate, shop_has_changed_itself};
use flash_sale_testbed::testing::TestDatabase;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, RuntimeErr, Statement,
    TryGetable,
};
use tokio::process::Command;
use tokio::time::timeout;
use url::Url;
use uuid::Uuid;

const INSUFFICIENT_PRIVILEGE: &str = "42501";

#[tokio::test]
async fn it_owns_nothing_and_has_no_right_over_the_server() {
    let database = TestDatabase::create().await;

    let attributes =
        "SELECT bool_or(rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls)
                      FROM pg_roles WHERE rolname = 'flash_sale_shop'";
    assert!(!one::<bool>(&database.connection, attributes).await);
    let owned =
        "SELECT count(*) FROM pg_shdepend WHERE deptype = 'o' AND refobjid = 'flash_sale_shop'::regrole";
    assert_eq!(one::<i64>(&database.connection, owned).await, 0);
    let member = "SELECT count(*) FROM pg_auth_members WHERE member = 'flash_sale_shop'::regrole";
    assert_eq!(one::<i64>(&database.connection, member).await, 0);
}

#[tokio::test]
async fn it_can_not_change_the_schema_and_touches_no_row_that_the_shop_does_not() {
    let database = TestDatabase::create().await;
    let shop = one_session(&database.shop_url).await;

    for sql in [
        "CREATE TABLE mine (id int)",
        "CREATE TEMPORARY TABLE mine (id int)",
        "CREATE TABLE mine AS SELECT 1",
        "SELECT 1 AS id INTO mine",
        "CREATE VIEW mine AS SELECT 1",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE SCHEMA mine",
        "CREATE EXTENSION pg_stat_statements",
        "CREATE DATABASE mine",
        "CREATE ROLE mine",
        "ALTER ROLE flash_sale_shop SUPERUSER",
        "ALTER ROLE flash_sale_shop CREATEROLE",
        "ALTER ROLE flash_sale_shop VALID UNTIL 'infinity'",
        "ALTER ROLE flash_sale_shop CONNECTION LIMIT 1000",
        "ALTER ROLE postgres PASSWORD 'mine'",
        "ALTER ROLE ALL SET lock_timeout = 0",
        "COMMENT ON ROLE flash_sale_shop IS 'mine'",
        "GRANT postgres TO flash_sale_shop",
        "GRANT pg_read_all_data TO flash_sale_shop",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION postgres",
        "SET session_replication_role = replica",
        "SET log_statement = 'none'",
        "ALTER SYSTEM SET fsync = off",
        "COPY products TO PROGRAM 'true'",
        "COPY products TO '/tmp/mine'",
        "COPY orders FROM '/etc/passwd'",
        "SELECT pg_read_file('PG_VERSION')",
        "SELECT pg_ls_dir('.')",
        "SELECT pg_reload_conf()",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'",
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'",
        "SELECT pg_create_physical_replication_slot('mine')",
        "LOAD 'pg_stat_statements'",
        "SELECT rolpassword FROM pg_authid",
        "SELECT * FROM pg_shadow",
        "SELECT lo_creat(-1)",
        "SELECT lo_create(0)",
        "SELECT lo_from_bytea(0, 'mine')",
        "SELECT lo_import('/etc/passwd')",
        "CREATE EXTENSION dblink",
        "CREATE PUBLICATION mine",
        "SELECT * FROM seaql_migrations",
        "INSERT INTO products (title, author, year, price, quantity) VALUES ('', '', 1, 1, 1)",
        "DELETE FROM products",
        "INSERT INTO units (product_id) SELECT id FROM products",
        "DELETE FROM units",
        "SELECT spread_stock(id, 2) FROM products",
        "DELETE FROM stock_buckets",
    ] {
        assert_eq!(refusal(&shop, sql).await, INSUFFICIENT_PRIVILEGE, "{sql}");
    }
    for (table, _) in RIGHTS {
        for sql in [
            format!("ALTER TABLE {table} ADD COLUMN mine int"),
            format!("ALTER TABLE {table} DISABLE TRIGGER ALL"),
            format!("ALTER TABLE {table} OWNER TO flash_sale_shop"),
            format!("CREATE INDEX ON {table} ((1))"),
            format!(
                "CREATE TRIGGER mine BEFORE INSERT ON {table} EXECUTE FUNCTION suppress_redundant_updates_trigger()"
            ),
            format!("DROP TABLE {table} CASCADE"),
            format!("TRUNCATE {table} CASCADE"),
        ] {
            assert_eq!(refusal(&shop, &sql).await, INSUFFICIENT_PRIVILEGE, "{sql}");
        }
    }
}

#[tokio::test]
async fn it_sees_of_other_roles_sessions_no_statement() {
    let database = TestDatabase::create().await;
    let shop = one_session(&database.shop_url).await;

    let seen = "SELECT string_agg(DISTINCT query, ' ') FROM pg_stat_activity
                WHERE usename = 'postgres' AND datname = current_database()";
    assert!(one::<String>(&database.connection, seen).await.contains("string_agg"));
    assert_eq!(one::<String>(&shop, seen).await, "<insufficient privilege>");
}

/// PostgreSQL has no right that could be taken away for it.
#[tokio::test]
async fn a_password_and_settings_that_it_gives_itself_are_noticed_and_taken_back() {
    let database = TestDatabase::create_empty().await;
    let shop = Shop::new(&database, "secret");
    shop.migrate().await.unwrap();
    let mut url = shop.url();
    url.set_password(Some("secret")).unwrap();
    let name: String = one(&database.connection, "SELECT current_database()::text").await;
    assert!(!shop_has_changed_itself(url.as_str()).await);

    for change in [
        "ALTER ROLE current_user PASSWORD 'mine'",
        "ALTER ROLE current_user SET default_transaction_read_only = on",
        &format!("ALTER ROLE current_user IN DATABASE {name} SET search_path = mine"),
        "ALTER ROLE current_user IN DATABASE template1 SET statement_timeout = 1",
    ] {
        one_session(url.as_str()).await.execute_unprepared(change).await.unwrap();
        assert!(shop_has_changed_itself(url.as_str()).await, "{change}");

        assert_eq!(admit_shop(&database.url, url.as_str()).await.unwrap(), [""; 0]);

        assert!(!shop_has_changed_itself(url.as_str()).await, "{change}");
        let writes =
            one_session(url.as_str()).await.execute_unprepared("UPDATE products SET quantity = 1").await;
        writes.unwrap_or_else(|error| panic!("{change}: {error}"));
    }
    url.set_password(Some("mine")).unwrap();
    assert!(Database::connect(url.as_str()).await.is_err());
}

#[tokio::test]
async fn settings_of_a_role_of_somebody_elses_are_theirs() {
    let database = TestDatabase::create_empty().await;
    let shop = Shop::new(&database, "theirs");
    let make = format!(
        "CREATE ROLE {0} LOGIN PASSWORD 'theirs'; ALTER ROLE {0} SET application_name = 'kept'",
        shop.role
    );
    database.connection.execute_unprepared(&make).await.unwrap();
    let mut url = shop.url();
    url.set_password(Some("theirs")).unwrap();

    shop.migrate().await.unwrap();

    assert!(!shop_has_changed_itself(url.as_str()).await);
    let kept = format!("SELECT count(*) FROM pg_db_role_setting WHERE setrole = '{}'::regrole", shop.role);
    assert_eq!(one::<i64>(&database.connection, &kept).await, 1);
}

#[tokio::test]
async fn it_gets_into_no_other_database() {
    let database = TestDatabase::create().await;

    for other in ["postgres", "template1"] {
        let mut url = Url::parse(&database.shop_url).unwrap();
        url.set_path(other);
        let mut options = ConnectOptions::new(url);
        let error =
            Database::connect(options.max_connections(1).sqlx_logging(false).clone()).await.unwrap_err();
        assert!(error.to_string().contains("permission denied for database"), "{error}");
    }
}

/// Whatever a learner makes of the purchase, it is rows that are read, locked and changed.
#[tokio::test]
async fn every_way_to_lock_is_open_to_it() {
    let database = TestDatabase::create().await;
    let shop = one_session(&database.shop_url).await;

    for (table, _) in RIGHTS {
        for strength in
            ["UPDATE", "NO KEY UPDATE", "SHARE", "KEY SHARE", "UPDATE NOWAIT", "UPDATE SKIP LOCKED"]
        {
            shop.execute_unprepared(&format!("SELECT * FROM {table} FOR {strength}")).await.unwrap();
        }
        for mode in ["ROW SHARE", "ROW EXCLUSIVE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE"] {
            let lock = format!("BEGIN; LOCK TABLE {table} IN {mode} MODE; COMMIT");
            shop.execute_unprepared(&lock).await.unwrap();
        }
    }
    for sql in [
        "SELECT pg_advisory_xact_lock(1)",
        "BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT * FROM products; COMMIT",
        "SET lock_timeout = '1s'",
        "INSERT INTO orders (product_id, served_by) SELECT id, 'replica-1' FROM products",
        "UPDATE products SET quantity = quantity - 1, version = version + 1",
        "UPDATE orders SET served_by = 'replica-2'",
        "DELETE FROM orders",
    ] {
        shop.execute_unprepared(sql).await.unwrap();
    }
}

#[tokio::test]
async fn every_table_of_the_schema_says_what_the_shop_may_do_with_it() {
    let database = TestDatabase::create_empty().await;
    migrate(&database.url).await.unwrap();

    let tables = "SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_tables
                  WHERE schemaname = 'public' AND tablename <> 'seaql_migrations'";
    let mut named = RIGHTS.map(|(table, _)| table);
    named.sort_unstable();

    assert_eq!(one::<String>(&database.connection, tables).await, named.join(" "));
}

#[tokio::test]
async fn migrate_makes_the_role_with_any_password_and_does_it_again_without_a_change() {
    let database = TestDatabase::create_empty().await;
    // As it is on a server older than PostgreSQL 15.
    database.connection.execute_unprepared("GRANT CREATE ON SCHEMA public TO PUBLIC").await.unwrap();
    let shop = Shop::new(&database, r#"p@ss:w/rd %41'"\$ é"#);

    for _ in 0..2 {
        let errors = shop.migrate().await.unwrap();
        assert!(!errors.contains("WARN"), "{errors}");
        shop.can_read_and_make_no_table().await;
    }
}

#[tokio::test]
async fn migrate_takes_passwords_in_the_urls_too_and_no_variables_of_another_server() {
    let database = TestDatabase::create_empty().await;
    let shop = Shop::new(&database, r#"p@ss:w/rd %41'"\$ é"#);
    let mut url = shop.url();
    let encoded: String = shop.password.bytes().map(|byte| format!("%{byte:02x}")).collect();
    url.set_password(Some(&encoded)).unwrap();
    let folder = tempfile::tempdir().unwrap();

    let output = Command::new(env!("CARGO_BIN_EXE_migrate"))
        .current_dir(folder.path())
        .env("DATABASE_URL", url.as_str())
        .env("MIGRATION_DATABASE_URL", shop.owner_url.as_str())
        .env("PGOPTIONS", "-c default_transaction_read_only=on")
        .env("PGPASSWORD", "another")
        .output()
        .await
        .unwrap();

    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    shop.can_read_and_make_no_table().await;
}

#[tokio::test]
async fn a_role_that_migrate_made_follows_its_password() {
    let database = TestDatabase::create_empty().await;
    let mut shop = Shop::new(&database, "first");
    shop.migrate().await.unwrap();

    shop.password = "second".to_owned();
    shop.migrate().await.unwrap();

    shop.can_read_and_make_no_table().await;
}

#[tokio::test]
async fn a_role_of_somebody_elses_keeps_its_password_and_gets_its_rights() {
    let database = TestDatabase::create_empty().await;
    let mut shop = Shop::new(&database, "theirs");
    let make = format!("CREATE ROLE {} LOGIN PASSWORD 'theirs'", shop.role);
    database.connection.execute_unprepared(&make).await.unwrap();

    shop.password = "another".to_owned();
    let errors = shop.migrate().await.unwrap_err();
    assert!(errors.contains(&format!("ALTER ROLE {} LOGIN PASSWORD", shop.role)), "{errors}");
    assert!(errors.contains("password authentication failed") && !errors.contains("another'"), "{errors}");

    shop.password = "theirs".to_owned();
    shop.migrate().await.unwrap();
    shop.can_read_and_make_no_table().await;
}

#[tokio::test]
async fn an_owner_that_may_make_no_role_says_what_to_run() {
    let database = TestDatabase::create_empty().await;
    let mut shop = Shop::new(&database, "secret");
    let owner = format!("owner_{}", Uuid::new_v4().simple());
    let name: String = one(&database.connection, "SELECT current_database()::text").await;
    let make = format!(
        "CREATE ROLE {owner} LOGIN PASSWORD 'x'; ALTER DATABASE {name} OWNER TO {owner};
                        GRANT CREATE, USAGE ON SCHEMA public TO {owner}"
    );
    database.connection.execute_unprepared(&make).await.unwrap();
    shop.owner_url.set_username(&owner).unwrap();
    shop.owner_url.set_password(Some("x")).unwrap();

    let errors = shop.migrate().await.unwrap_err();
    assert!(errors.contains(&format!("CREATE ROLE {} LOGIN PASSWORD '…'", shop.role)), "{errors}");

    let make = format!("CREATE ROLE {} LOGIN PASSWORD 'secret'", shop.role);
    database.connection.execute_unprepared(&make).await.unwrap();
    let errors = shop.migrate().await.unwrap();
    // That is a superuser's alone.
    let fix = "REVOKE EXECUTE ON FUNCTION lo_creat, lo_create, lo_from_bytea FROM PUBLIC";
    assert!(errors.contains("can make large objects") && errors.contains(fix), "{errors}");
    assert_eq!(errors.matches("WARN").count(), 1, "{errors}");
    shop.can_read_and_make_no_table().await;

    database.connection.execute_unprepared(fix).await.unwrap();
    let errors = shop.migrate().await.unwrap();
    assert!(!errors.contains("WARN"), "{errors}");
}

#[tokio::test]
async fn a_role_that_can_do_more_is_said() {
    let database = TestDatabase::create_empty().await;
    let shop = Shop::new(&database, "secret");
    let make = format!("CREATE ROLE {} CREATEDB LOGIN PASSWORD 'secret'", shop.role);
    database.connection.execute_unprepared(&make).await.unwrap();

    let errors = shop.migrate().await.unwrap();

    assert!(errors.contains("has rights over the whole server") && errors.contains("NOCREATEDB"), "{errors}");
}

/// The shop may have another address than the owner: a pooler's, which is not up yet.
#[tokio::test]
async fn a_server_that_does_not_answer_the_role_is_not_waited_for_for_ever() {
    let database = TestDatabase::create().await;
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut shop_url = Url::parse(&database.shop_url).unwrap();
    shop_url.set_port(Some(silent.local_addr().unwrap().port())).unwrap();

    let admitted = timeout(Duration::from_secs(30), admit_shop(&database.url, shop_url.as_str())).await;
    let notes = admitted.expect("it ends").unwrap();

    let said = "the login of the role flash_sale_shop of DATABASE_URL could not be tested: no answer";
    assert_eq!(notes, [said]);
}

#[tokio::test]
async fn its_password_is_not_in_the_servers_log() {
    let database = TestDatabase::create_empty().await;
    let name: String = one(&database.connection, "SELECT current_database()::text").await;
    let verbose = format!("ALTER DATABASE {name} SET log_statement = 'all'");
    database.connection.execute_unprepared(&verbose).await.unwrap();
    let shop = Shop::new(&database, "a-password-to-look-for");

    shop.migrate().await.unwrap();

    let data: String = one(&database.connection, "SHOW data_directory").await;
    let log = fs::read_to_string(Path::new(&data).with_file_name("postgres.log")).unwrap();
    assert!(log.contains(&format!(r#"ALTER ROLE "{}" LOGIN PASSWORD 'SCRAM-SHA-256$"#, shop.role)), "{log}");
    assert!(!log.contains(&shop.password));
}

/// A role that isn't there yet, and what `migrate` is told of it.
struct Shop {
    owner_url: Url,
    role: String,
    password: String,
}

impl Shop {
    fn new(database: &TestDatabase, password: &str) -> Self {
        let role = format!("shop_{}", Uuid::new_v4().simple());
        Self { owner_url: Url::parse(&database.url).unwrap(), role, password: password.to_owned() }
    }

    fn url(&self) -> Url {
        let mut url = self.owner_url.clone();
        url.set_username(&self.role).unwrap();
        url.set_password(None).unwrap();
        url
    }

    /// Runs the program, with the passwords outside of the URLs. What it logged, as an error when it failed.
    async fn migrate(&self) -> Result<String, String> {
        let mut owner = self.owner_url.clone();
        owner.set_password(None).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_migrate"));
        command.env_clear().current_dir(folder.path()).envs([
            ("DATABASE_URL", self.url().as_str()),
            ("PGPASSWORD", &self.password),
            ("MIGRATION_DATABASE_URL", owner.as_str()),
            ("MIGRATION_PGPASSWORD", self.owner_url.password().unwrap()),
        ]);
        let output = command.output().await.unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        if output.status.success() { Ok(errors) } else { Err(errors) }
    }

    async fn can_read_and_make_no_table(&self) {
        let mut options = ConnectOptions::new(self.url());
        let password = self.password.clone();
        options.map_sqlx_postgres_opts(move |postgres| postgres.password(&password));
        let shop = Database::connect(options.max_connections(1).sqlx_logging(false).clone()).await.unwrap();
        assert_eq!(one::<i64>(&shop, "SELECT count(*) FROM products").await, 1);
        for sql in ["CREATE TABLE mine ()", "CREATE TEMPORARY TABLE mine ()", "TRUNCATE orders"] {
            assert_eq!(refusal(&shop, sql).await, INSUFFICIENT_PRIVILEGE, "{sql}");
        }
    }
}

async fn one_session(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    Database::connect(options.max_connections(1).sqlx_logging(false).clone()).await.unwrap()
}

async fn one<T: TryGetable>(connection: &DatabaseConnection, sql: &str) -> T {
    let statement = Statement::from_string(DbBackend::Postgres, sql);
    connection.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap()
}

/// The SQLSTATE of a statement that must fail.
async fn refusal(connection: &DatabaseConnection, sql: &str) -> String {
    match connection.execute_unprepared(sql).await {
        Err(DbErr::Exec(RuntimeErr::SqlxError(error))) => {
            error.as_database_error().unwrap().code().unwrap().into_owned()
        }
        other => panic!("{sql}: {other:?}"),
    }
}
