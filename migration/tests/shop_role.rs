//! The role that the shop works as: made by the migration, and confined to the rows.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use flash_sale_lab::testing::TestDatabase;
use flash_sale_migration::{RIGHTS, migrate};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, RuntimeErr, Statement,
    TryGetable,
};
use tokio::process::Command;
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
        "ALTER SYSTEM SET fsync = off",
        "COPY products TO PROGRAM 'true'",
        "SELECT pg_read_file('PG_VERSION')",
        "SELECT rolpassword FROM pg_authid",
        "SELECT * FROM seaql_migrations",
        "INSERT INTO products (title, author, year, price, quantity) VALUES ('', '', 1, 1, 1)",
        "DELETE FROM products",
        "INSERT INTO units (product_id) SELECT id FROM products",
        "DELETE FROM units",
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
    assert!(!errors.contains("WARN"), "{errors}");
    shop.can_read_and_make_no_table().await;
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

#[tokio::test]
async fn its_password_is_not_in_the_servers_log() {
    let database = TestDatabase::create_empty().await;
    let name: String = one(&database.connection, "SELECT current_database()::text").await;
    let verbose = format!("ALTER DATABASE {name} SET log_statement = 'all'");
    database.connection.execute_unprepared(&verbose).await.unwrap();
    let shop = Shop::new(&database, "a-password-to-look-for");

    shop.migrate().await.unwrap();

    let log = "SELECT pg_read_file(current_setting('data_directory') || '/../postgres.log')";
    let log: String = one(&database.connection, log).await;
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
        let mut url = self.url();
        url.set_password(Some(&self.password)).unwrap();
        let shop = one_session(url.as_str()).await;
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
