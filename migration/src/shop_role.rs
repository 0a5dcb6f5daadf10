//! The role that the shop works as. It owns nothing. It may do with the tables what the shop's statements do, and no
//! more. This is not a step of the migration: every run sets the rights again, for the tables that are there then.

use std::str::FromStr;

use flash_sale_core::database_reason::{driver_reason, reason};
use flash_sale_core::database_url::Password;
use postgres_protocol::password::scram_sha_256;
use sea_orm_migration::sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm_migration::sea_orm::sqlx::{self, Connection};
use sea_orm_migration::sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement, TryGetable, Value,
};

use crate::connect::connect_and_lock;
use crate::wait::{Failure, within_limit};

/// Each table, and what the shop does with its rows. To lock a row, a role needs the right to update it. So a purchase
/// may be made safe in any way without a change here. The foreign keys act with the rights of the tables' owner.
pub const RIGHTS: [(&str, &str); 6] = [
    ("products", "SELECT, UPDATE"),
    ("orders", "SELECT, INSERT, UPDATE, DELETE"),
    ("units", "SELECT, UPDATE"),
    ("idempotency_keys", "SELECT, INSERT, UPDATE, DELETE"),
    ("holds", "SELECT, INSERT, UPDATE, DELETE"),
    ("stock_buckets", "SELECT, UPDATE"),
];

/// All functions that make a large object and that everybody may call. A large object belongs to no table,
/// and fills the disk.
const MAKE_LARGE_OBJECTS: &str = "lo_creat, lo_create, lo_from_bytea";

/// The comment on a role that was made here. The password of such a role follows DATABASE_URL. A role that somebody
/// else made keeps its own password. The role itself can't remove the comment.
const COMMENT: &str = "made by the migration of Flash Sale";

/// Why the shop can't work as the role of DATABASE_URL.
#[derive(Debug, thiserror::Error)]
pub enum ShopRoleError {
    /// The role isn't there, and we may not make it.
    #[error(
        "the role {0} of DATABASE_URL does not exist, and the role of MIGRATION_DATABASE_URL may not make it. Make it \
         as a superuser: CREATE ROLE {0} LOGIN PASSWORD '…'"
    )]
    Missing(String),
    /// The role is there, but it can't work with the tables.
    #[error("the role {role} of DATABASE_URL can't use the shop's tables: {reason}{advice}")]
    Refused {
        /// The role's name.
        role: String,
        /// What PostgreSQL says.
        reason: String,
        /// What may help, as a sentence. It is empty when nothing is known.
        advice: String,
    },
    /// A statement has failed that the owner ran.
    #[error("the rights of the shop's role can't be set: {}", reason(.0))]
    Database(#[from] DbErr),
}

/// Makes sure that the role of `shop_url` is there, and may do what the shop does and nothing else. `owner_url` is the
/// role that migrates. Does nothing when both roles are the same.
///
/// Returns what else there is to say, in one sentence each. It may be something that the shop's role can still do,
/// because the owner can't take it away; the sentence says what would take it away. Or it may be that the database
/// doesn't answer the shop's role, which may have an address of its own; the shop waits for it.
///
/// # Errors
/// When the role is missing and can't be made, or when the database says that it can't log in.
pub async fn admit_shop(owner_url: &str, shop_url: &str) -> Result<Vec<String>, ShopRoleError> {
    let shop = PgConnectOptions::from_str(shop_url).map_err(|error| DbErr::Custom(error.to_string()))?;
    let role = shop.get_username().to_owned();
    let owner = Owner { connection: connect_and_lock(owner_url).await? };
    let (_, password) = Password::split_off(shop_url);
    let result = owner.admit(&role, &shop, password.text()).await;
    owner.connection.close().await?;
    result
}

/// Whether the role of `shop_url` has another password or other settings than [`admit_shop`] gave it. PostgreSQL lets
/// each role change its own password and settings, and nobody can forbid that. So an intruder who got a statement into
/// the shop could lock the shop out, and log in themselves. [`admit_shop`] puts that right.
///
/// It is also false when nobody answers.
pub async fn shop_has_changed_itself(shop_url: &str) -> bool {
    let Ok(shop) = PgConnectOptions::from_str(shop_url) else { return false };
    let sql = "SELECT EXISTS (SELECT FROM pg_db_role_setting WHERE setrole = current_user::regrole)
                      AND coalesce(shobj_description(current_user::regrole, 'pg_authid') = $1, false)";
    let has_settings = within_limit(async {
        let mut connection = PgConnection::connect_with(&shop.application_name("lab")).await?;
        let has_settings = sqlx::query_scalar(sql).bind(COMMENT).fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok(has_settings)
    });
    match has_settings.await {
        Ok(has_settings) => has_settings,
        Err(Failure::No(error)) => is_refused_login(&error),
        Err(Failure::NotYet(_)) => false,
    }
}

/// The session that migrates.
struct Owner {
    connection: DatabaseConnection,
}

impl Owner {
    async fn admit(
        &self,
        role: &str,
        shop: &PgConnectOptions,
        password: Option<&str>,
    ) -> Result<Vec<String>, ShopRoleError> {
        if self.ask("SELECT current_user = $1", [role.into()]).await? {
            return Ok(Vec::new());
        }
        let exists = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)";
        if !self.ask::<bool>(exists, [role.into()]).await? {
            self.make(role, password).await?;
        }
        self.grant(role).await?;
        let is_ours = self.has_made(role).await?;
        if is_ours {
            self.take_settings_back(role).await?;
        }
        let mut trial = try_to_work(shop).await;
        if matches!(&trial, Err(Failure::No(error)) if is_refused_login(error)) && is_ours {
            self.set_password(role, password).await?;
            trial = try_to_work(shop).await;
        }
        match trial {
            Ok(()) => self.what_is_left(role).await,
            Err(Failure::No(error)) => Err(refused(role, &error)),
            Err(Failure::NotYet(reason)) => Ok(vec![format!(
                "the login of the role {role} of DATABASE_URL could not be tested: {reason}"
            )]),
        }
    }

    async fn has_made(&self, role: &str) -> Result<bool, ShopRoleError> {
        let sql = "SELECT coalesce(shobj_description(oid, 'pg_authid') = $2, false) FROM pg_roles
                   WHERE rolname = $1";
        self.ask(sql, [role.into(), COMMENT.into()]).await
    }

    async fn make(&self, role: &str, password: Option<&str>) -> Result<(), ShopRoleError> {
        let may = "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user";
        if !self.ask::<bool>(may, []).await? {
            return Err(ShopRoleError::Missing(role.to_owned()));
        }
        let name = quoted(role);
        self.run(&format!("CREATE ROLE {name}; COMMENT ON ROLE {name} IS '{COMMENT}'")).await?;
        self.set_password(role, password).await
    }

    /// Without a password, the role may log in where PostgreSQL asks for none.
    async fn set_password(&self, role: &str, password: Option<&str>) -> Result<(), ShopRoleError> {
        // The password is hashed here and not by the server: so it stands in no statement, and in no log of statements.
        // The hash is base64 and digits: nothing in it needs quoting.
        let password = password.map(|password| format!("'{}'", scram_sha_256(password.as_bytes())));
        let password = password.as_deref().unwrap_or("NULL");
        self.run(&format!("ALTER ROLE {} LOGIN PASSWORD {password}", quoted(role))).await
    }

    /// Takes back what the role has set for its own sessions, for all databases or for one.
    async fn take_settings_back(&self, role: &str) -> Result<(), ShopRoleError> {
        let sql = "SELECT string_agg(format('ALTER ROLE %I %s RESET ALL', rolname, 'IN DATABASE ' || quote_ident(datname)), '; ')
                   FROM pg_db_role_setting JOIN pg_roles ON pg_roles.oid = setrole
                        LEFT JOIN pg_database ON pg_database.oid = setdatabase
                   WHERE rolname = $1";
        match self.ask::<Option<String>>(sql, [role.into()]).await? {
            Some(statements) => self.run(&statements).await,
            None => Ok(()),
        }
    }

    /// Does all in one transaction, so that a running shop never lacks a right.
    async fn grant(&self, role: &str) -> Result<(), ShopRoleError> {
        let database: String = self.ask("SELECT format('%I', current_database())", []).await?;
        let schema: String = self.ask("SELECT format('%I', current_schema())", []).await?;
        let role = quoted(role);
        let mut statements = vec![
            format!("REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC, {role}"),
            format!("GRANT USAGE ON SCHEMA {schema} TO {role}"),
        ];
        let owns_database =
            "SELECT pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = current_database()";
        if self.ask(owns_database, []).await? {
            statements.push(format!("REVOKE TEMPORARY, CREATE ON DATABASE {database} FROM PUBLIC, {role}"));
            statements.push(format!("GRANT CONNECT ON DATABASE {database} TO {role}"));
        }
        if self.ask("SELECT rolsuper FROM pg_roles WHERE rolname = current_user", []).await? {
            statements.push(format!("REVOKE EXECUTE ON FUNCTION {MAKE_LARGE_OBJECTS} FROM PUBLIC, {role}"));
        }
        for (table, rights) in RIGHTS {
            statements.push(format!("REVOKE ALL ON {table} FROM {role}"));
            statements.push(format!("GRANT {rights} ON {table} TO {role}"));
        }
        self.run(&statements.join("; ")).await
    }

    async fn what_is_left(&self, role: &str) -> Result<Vec<String>, ShopRoleError> {
        let sql = "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls,
                          has_schema_privilege(oid, current_schema(), 'CREATE'),
                          has_database_privilege(oid, current_database(), 'TEMPORARY'),
                          (SELECT bool_or(has_function_privilege(pg_roles.oid, pg_proc.oid, 'EXECUTE')) FROM pg_proc
                           WHERE proname = ANY (string_to_array($2, ', ')))
                   FROM pg_roles WHERE rolname = $1";
        let statement = Statement::from_sql_and_values(
            DbBackend::Postgres,
            sql,
            [role.into(), MAKE_LARGE_OBJECTS.into()],
        );
        let Some(row) = self.connection.query_one_raw(statement).await? else { return Ok(Vec::new()) };
        let is = |index| bool::try_get_by_index(&row, index).map_err(DbErr::from);
        let name = quoted(role);
        if is(0)? {
            let fix =
                format!("ALTER ROLE {name} NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS");
            return Ok(vec![format!(
                "the role {role} has rights over the whole server. A superuser can remove them: {fix}"
            )]);
        }
        let mut left = Vec::new();
        if is(1)? {
            let fix = "REVOKE CREATE ON SCHEMA public FROM PUBLIC";
            left.push(format!(
                "the role {role} can make tables. The owner of the schema can remove this right: {fix}"
            ));
        }
        if is(2)? {
            let fix = "REVOKE TEMPORARY ON DATABASE … FROM PUBLIC";
            left.push(format!(
                "the role {role} can make temporary tables. The owner of the database can remove this right: {fix}"
            ));
        }
        if is(3)? {
            let fix = format!("REVOKE EXECUTE ON FUNCTION {MAKE_LARGE_OBJECTS} FROM PUBLIC");
            left.push(format!(
                "the role {role} can make large objects. A superuser can remove this right, in this database: {fix}"
            ));
        }
        Ok(left)
    }

    async fn ask<T: TryGetable>(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<T, ShopRoleError> {
        let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
        let row = self.connection.query_one_raw(statement).await?;
        let row = row.ok_or_else(|| DbErr::RecordNotFound(sql.to_owned()))?;
        Ok(T::try_get_by_index(&row, 0).map_err(DbErr::from)?)
    }

    async fn run(&self, statements: &str) -> Result<(), ShopRoleError> {
        self.connection.execute_unprepared(statements).await?;
        Ok(())
    }
}

/// Logs in as the shop, and looks whether the shop's tables are there.
async fn try_to_work(shop: &PgConnectOptions) -> Result<(), Failure> {
    within_limit(async {
        let mut connection = PgConnection::connect_with(shop).await?;
        sqlx::query("SELECT FROM products LIMIT 0").execute(&mut connection).await?;
        connection.close().await
    })
    .await
}

fn refused(role: &str, error: &sqlx::Error) -> ShopRoleError {
    let advice = if is_refused_login(error) {
        format!(
            ". If PostgreSQL has another password for it, set that of DATABASE_URL: ALTER ROLE {role} LOGIN \
                 PASSWORD '…'"
        )
    } else {
        String::new()
    };
    ShopRoleError::Refused { role: role.to_owned(), reason: driver_reason(error), advice }
}

/// Whether the error is of class 28: invalid authorization.
fn is_refused_login(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code.starts_with("28"))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
