//! `lab status`: what runs.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::console;
use crate::control::messages::{DatabaseStatus, ReplicaStatus, Status};
use crate::control::running;
use crate::wording::{counted, on_wiretap};

/// Prints what runs, as a table or as JSON.
///
/// # Errors
/// When nothing runs.
pub async fn status(json: bool) -> anyhow::Result<()> {
    let status = running().await?;
    if json {
        console::line(serde_json::to_string_pretty(&status)?);
    } else {
        console::text(table(&status));
    }
    Ok(())
}

fn table(status: &Status) -> String {
    let mut lines = vec![row("", "process", "port", "up", "restarts")];
    lines.extend(status.replicas.iter().map(replica_row));
    match &status.database {
        Some(DatabaseStatus::Private { pid, port, .. }) => {
            let pid = pid.map_or_else(|| "starting".to_owned(), |pid| pid.to_string());
            lines.push(row("PostgreSQL", &pid, &port.to_string(), "", ""));
        }
        Some(DatabaseStatus::External) => lines.push(row("database", "DATABASE_URL", "", "", "")),
        None => lines.push(row("PostgreSQL", "starting", "", "", "")),
    }
    let dashboard =
        status.dashboard.as_ref().map(|url| format!("The dashboard: {url}\n")).unwrap_or_default();
    format!(
        "{}\n\nThe shop: {} ({} open, {} since the start)\n{dashboard}The {}\n",
        lines.join("\n"),
        status.url,
        counted(status.connections_open, "connection"),
        status.connections_accepted,
        on_wiretap(Some(status.wiretap))
    )
}

fn row(name: &str, process: &str, port: &str, up: &str, restarts: &str) -> String {
    format!("{name:<12}{process:<14}{port:<8}{up:<8}{restarts}").trim_end().to_owned()
}

fn replica_row(replica: &ReplicaStatus) -> String {
    let restarts = replica.restarts.to_string();
    match &replica.process {
        Some(process) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let up = now.saturating_sub(Duration::from_secs(process.started_at)).as_secs();
            let (pid, port) = (process.pid.to_string(), process.port.to_string());
            let remark = if process.answers { "" } else { "not answering" };
            row(&replica.name, &pid, &port, &in_words(up), &format!("{restarts:<10}{remark}"))
        }
        None => row(&replica.name, "starting", "", "", &restarts),
    }
}

fn in_words(seconds: u64) -> String {
    match seconds {
        0..=59 => format!("{seconds} s"),
        60..=3599 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}
