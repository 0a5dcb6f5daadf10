//! A real psql. It gets what is typed, and its output is read.

use std::io;
use std::mem;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::timeout;

/// How long an answer may take.
pub(super) const LIMIT: Duration = Duration::from_secs(10);

/// A psql, and its session.
pub(super) struct Terminal {
    input: ChildStdin,
    output: pipe::Receiver,
    /// The process id of the session, at PostgreSQL.
    pub(super) pid: String,
    /// The statement that psql works on.
    pub(super) typed: String,
    /// Whether the guide says that the statement waits.
    pub(super) waits: bool,
    /// The part of the answer that psql has printed so far.
    unread: Vec<u8>,
    _psql: Child,
}

/// psql itself prints this text after each answer.
const END: &str = "-- end of the answer --";

impl Terminal {
    pub(super) async fn open(mut psql: Command) -> anyhow::Result<Self> {
        // Errors and results go into one pipe, so that they stay in order.
        let (reader, writer) = io::pipe()?;
        psql.arg("--no-psqlrc").env("LC_ALL", "C").env("PSQL_PAGER", "").kill_on_drop(true);
        psql.stdin(Stdio::piped()).stdout(writer.try_clone()?).stderr(writer);
        let mut child = psql.spawn().context("can't start psql")?;
        drop(psql);
        let mut terminal = Self {
            input: child.stdin.take().context("it was asked for")?,
            output: pipe::Receiver::from_owned_fd(reader.into())?,
            pid: String::new(),
            typed: "psql".to_owned(),
            waits: false,
            unread: Vec::new(),
            _psql: child,
        };
        terminal.pid = terminal.ask("SELECT pg_backend_pid();").await?;
        Ok(terminal)
    }

    pub(super) async fn type_in(&mut self, statement: &str) -> anyhow::Result<()> {
        self.typed = statement.to_owned();
        self.waits = false;
        let typed = format!("{statement}\n\\warn '{END}'\n");
        self.input.write_all(typed.as_bytes()).await.context("psql has ended")
    }

    /// Waits until psql is ready for the next statement, and returns what it has printed since the last one.
    pub(super) async fn read_answer(&mut self) -> anyhow::Result<String> {
        let end = format!("{END}\n");
        let reading = async {
            while !self.unread.ends_with(end.as_bytes()) {
                let mut piece = [0; 1024];
                let length = self.output.read(&mut piece).await?;
                ensure!(length > 0, "psql has ended: {}", String::from_utf8_lossy(&self.unread));
                self.unread.extend_from_slice(&piece[..length]);
            }
            Ok(())
        };
        match timeout(LIMIT, reading).await {
            Ok(read) => read?,
            Err(_) => bail!("{:?} has printed nothing for {} s", self.typed, LIMIT.as_secs()),
        }
        let mut answer = String::from_utf8_lossy(&mem::take(&mut self.unread)).into_owned();
        answer.truncate(answer.len() - end.len());
        Ok(answer)
    }

    /// The rows of one answer, without the frame around them.
    pub(super) async fn ask(&mut self, sql: &str) -> anyhow::Result<String> {
        let unframed = format!("\\pset format unaligned\n\\pset tuples_only on\n{sql}\n");
        self.type_in(&format!(
            "\\set QUIET on\n{unframed}\\pset tuples_only off\n\\pset format aligned\n\\set QUIET off"
        ))
        .await?;
        let answer = self.read_answer().await?;
        ensure!(!answer.contains("ERROR:"), "{sql}\n{answer}");
        Ok(answer.trim_end().to_owned())
    }
}
