//! Passwords: any text may be one, whichever way it comes in, and none is shown.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use flash_sale_testbed::testing::TestDatabase;
use reqwest::Url;
use sea_orm::ConnectionTrait;
use uuid::Uuid;

use crate::*;

const ODD_PASSWORDS: [&str; 4] =
    [r#"ab%41 $HOME w"o'r\d"#, " #/?@:[]{}&=+;,100% ", "-c 'Grüße' 東京", r"$(id)`id`\"];

#[tokio::test]
async fn a_password_may_hold_anything_whichever_way_it_comes_in() {
    let database = TestDatabase::create().await;
    let role = Role::make(&database, "SUPERUSER").await;
    let mut project = Project::new();
    let file = project.path().join(".env");

    for password in ODD_PASSWORDS {
        role.set_password(&database, password).await;
        for (shell, dotenv) in ways_in(&role.url(&database), password) {
            project.variables = shell.clone();
            fs::write(&file, &dotenv).unwrap();

            let psql = project.run(&["psql", "-Atc", "SELECT current_user"]).await;

            assert_eq!(psql.output.trim(), role.name, "{password}: {shell:?} {dotenv}: {}", psql.errors);
        }
    }
    fs::remove_file(&file).unwrap();
    role.drop(&database).await;
}

#[tokio::test]
async fn two_roles_with_odd_passwords_run_the_whole_shop() {
    let database = TestDatabase::create().await;
    let owner = Role::make(&database, "SUPERUSER").await;
    let shop = Role { name: format!("shop_{}", Uuid::new_v4().simple()) };
    owner.set_password(&database, r#"p $HOME w"o'r\d%41"#).await;
    let project = Project::new();
    let dotenv = format!(
        "DATABASE_URL={}\nPGPASSWORD='%24$2#\"'\nMIGRATION_DATABASE_URL={}\n{}\n",
        shop.url(&database),
        owner.url(&database),
        r#"MIGRATION_PGPASSWORD="p \$HOME w\"o'r\\d%41""#
    );
    fs::write(project.path().join(".env"), dotenv).unwrap();

    project.up().await;

    let who = "SELECT string_agg(DISTINCT usename, ' ' ORDER BY usename) FROM pg_stat_activity
               WHERE datname = current_database() AND application_name LIKE 'replica-%'";
    assert_eq!(project.run(&["psql", "-Atc", who]).await.output.trim(), shop.name);
    project.run(&["down"]).await;
    fs::remove_file(project.path().join(".env")).unwrap();
    owner.run(&database, &format!("DROP OWNED BY {}; DROP ROLE {}", shop.name, shop.name)).await;
    owner.drop(&database).await;
}

#[tokio::test]
async fn a_password_that_the_driver_can_not_use_is_said_without_it() {
    let database = TestDatabase::create().await;
    let role = Role::make(&database, "SUPERUSER").await;
    let mut project = Project::new();
    project.variables =
        vec![("DATABASE_URL", role.url(&database).into()), ("PGPASSWORD", "hunter2😀".to_owned())];

    let up = project.run(&["up"]).await;

    assert_eq!(
        up.errors,
        "error: DATABASE_URL: the password has a character that is not allowed in a login: a control character, or \
         one that is newer than Unicode 3.2, such as an emoji. Correct it\nAfter the correction: make run\n"
    );
    role.drop(&database).await;
}

#[tokio::test]
async fn what_can_not_be_read_is_not_shown() {
    let project = Project::new();
    for name in ["DATABASE_URL", "PGPASSWORD"] {
        let mut up = project.command(&["up"]);
        up.env("DATABASE_URL", "postgres://shop@127.0.0.1:1/shop")
            .env(name, OsStr::from_bytes(b"hunter2\xff"));
        let up = Outcome::of(up.output().await.unwrap());
        assert_eq!(up.errors, format!("error: {name}=(hidden): expected UTF-8 text\n"));
    }
    let url =
        project.command(&["up"]).env("ORDER_API_URL", "https://me:hunter2@shop/").output().await.unwrap();
    let errors = Outcome::of(url).errors;
    assert!(errors.contains("ORDER_API_URL=(hidden): expected http://"), "{errors}");
    assert!(!errors.contains("hunter2"), "{errors}");
}

#[tokio::test]
async fn a_password_in_an_env_file_that_others_may_read_is_said() {
    let database = TestDatabase::create().await;
    let mut project = Project::on(&database);
    let env = project.path().join(".env");
    let variables = std::mem::take(&mut project.variables);
    let lines = variables.iter().map(|(name, url)| format!("{name}={url}\n"));
    fs::write(&env, lines.collect::<String>()).unwrap();
    let note =
        "note: other users of this machine may read the password in .env. Keep them out: chmod 600 .env";

    for (mode, is_said) in [(0o644, true), (0o640, true), (0o600, false)] {
        fs::set_permissions(&env, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(project.up().await.output.lines().any(|line| line == note), is_said, "{mode:o}");
    }
    fs::set_permissions(&env, fs::Permissions::from_mode(0o644)).unwrap();
    project.run(&["down"]).await;
    fs::write(&env, "RACE_WINDOW_MS=1\n").unwrap();
    project.variables = variables;
    assert!(!project.up().await.output.contains(note), "there is nothing to be read");
    project.run(&["down"]).await;
}

/// Each way to give the password of a URL: the shell's variables, and the text of `.env`. Where a way also has
/// something wrong, a variable that comes before it hides that.
fn ways_in(url: &Url, password: &str) -> Vec<(Vec<(&'static str, String)>, String)> {
    let mut with_password = url.clone();
    let encoded = password.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    with_password.set_password(Some(&encoded)).unwrap();
    let (bare, full, password) = (url.to_string(), with_password.to_string(), password.to_owned());
    let escaped = password.replace('\\', r"\\").replace('"', r#"\""#).replace('$', r"\$");
    let nowhere = "postgres://shop:wrong@127.0.0.1:1/nowhere".to_owned();
    let mut ways = vec![
        (vec![("DATABASE_URL", full.clone())], String::new()),
        (vec![("DATABASE_URL", bare.clone()), ("PGPASSWORD", password.clone())], String::new()),
        (Vec::new(), format!("DATABASE_URL='{full}'\nPGPASSWORD=wrong\n")),
        (Vec::new(), format!("DATABASE_URL={bare}\nPGPASSWORD=\"{escaped}\"\n")),
        (vec![("PGPASSWORD", password.clone())], format!("DATABASE_URL={bare}\nPGPASSWORD=wrong\n")),
        (vec![("DATABASE_URL", nowhere.clone()), ("MIGRATION_DATABASE_URL", full)], String::new()),
        (
            vec![
                ("DATABASE_URL", nowhere.clone()),
                ("MIGRATION_DATABASE_URL", bare.clone()),
                ("MIGRATION_PGPASSWORD", password.clone()),
                ("PGPASSWORD", "wrong".to_owned()),
            ],
            String::new(),
        ),
        (
            Vec::new(),
            format!(
                "DATABASE_URL={nowhere}\nMIGRATION_DATABASE_URL={bare}\nMIGRATION_PGPASSWORD=\"{escaped}\"\n"
            ),
        ),
        (
            vec![
                ("DATABASE_URL", nowhere),
                ("MIGRATION_DATABASE_URL", bare.clone()),
                ("PGPASSWORD", password.clone()),
            ],
            String::new(),
        ),
    ];
    if !password.contains('\'') {
        ways.push((Vec::new(), format!("DATABASE_URL={bare}\nPGPASSWORD='{password}'\n")));
    }
    ways
}

/// A role of the tests' PostgreSQL.
struct Role {
    name: String,
}

impl Role {
    async fn make(database: &TestDatabase, rights: &str) -> Self {
        let role = Self { name: format!("role_{}", Uuid::new_v4().simple()) };
        role.run(database, &format!("CREATE ROLE {} LOGIN {rights}", role.name)).await;
        role
    }

    async fn set_password(&self, database: &TestDatabase, password: &str) {
        let password = password.replace('\'', "''");
        self.run(database, &format!("ALTER ROLE {} PASSWORD '{password}'", self.name)).await;
    }

    /// The URL of the database, without a password.
    fn url(&self, database: &TestDatabase) -> Url {
        let mut url = Url::parse(&database.url).unwrap();
        url.set_username(&self.name).unwrap();
        url.set_password(None).unwrap();
        url
    }

    async fn run(&self, database: &TestDatabase, sql: &str) {
        database.connection.execute_unprepared(sql).await.unwrap();
    }

    async fn drop(self, database: &TestDatabase) {
        self.run(database, &format!("DROP ROLE {}", self.name)).await;
    }
}
