//! Finds out who waits for whom: asks PostgreSQL about every statement that takes long. Nothing is asked while no
//! statement is in flight.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use flash_sale_core::limits::ACQUIRE_TIMEOUT;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{self, ConnectOptions};
use tokio::time::{sleep, timeout};

use crate::recorded::Blocker;
use crate::recorder::Recorder;
use crate::tape::InFlight;

/// A statement that takes longer may be waiting.
const TAKES_LONG: Duration = Duration::from_millis(2);
/// The pause between two looks is so many times longer than a look. So the looks cost PostgreSQL little, however many
/// sessions wait.
const PAUSE: u32 = 20;
/// A click's second purchase waits for some 50 ms. That must not fall between two looks.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// One row for each session that waits and each session that it waits for (PostgreSQL manual, section 9.27).
const WHO_WAITS: &str = "SELECT waiting.pid, blocking.pid, awaited.locktype
                         FROM unnest($1::int4[]) AS waiting (pid)
                         CROSS JOIN LATERAL unnest(pg_blocking_pids(waiting.pid)) AS blocking (pid)
                         LEFT JOIN pg_locks AS awaited ON awaited.pid = waiting.pid AND NOT awaited.granted";

/// Looks who waits for whom, for as long as anybody polls it.
pub async fn watch(recorder: Recorder, options: PgConnectOptions) {
    let options = options.application_name("flash-sale wiretap").disable_statement_logging();
    let (mut session, mut has_said) = (None, false);
    loop {
        recorder.statement_is_sent().await;
        while !recorder.in_flight().is_empty() {
            sleep(TAKES_LONG).await;
            let mut slow = recorder.in_flight();
            slow.retain(|statement| statement.is_older_than(TAKES_LONG));
            if slow.is_empty() {
                continue;
            }
            let error = match look(&recorder, &mut session, &options, &slow).await {
                Ok(took) => {
                    sleep((took * PAUSE).min(LONGEST_PAUSE)).await;
                    continue;
                }
                Err(error) => error,
            };
            session = None;
            if !std::mem::replace(&mut has_said, true) {
                log::warn!("the wiretap can't see who waits for whom: {error}");
            }
            sleep(PAUSE_AFTER_FAILURE).await;
        }
    }
}

/// Returns how long PostgreSQL took to answer.
async fn look(
    recorder: &Recorder,
    session: &mut Option<PgConnection>,
    options: &PgConnectOptions,
    slow: &[InFlight],
) -> anyhow::Result<Duration> {
    let pids: Vec<i32> = slow.iter().map(|statement| statement.backend_pid).collect();
    let rows = timeout(ACQUIRE_TIMEOUT, async {
        let session = match session {
            Some(session) => session,
            None => session.insert(options.connect().await?),
        };
        let asked = Instant::now();
        let rows = sqlx::query_as::<_, (i32, i32, Option<String>)>(WHO_WAITS).bind(pids).fetch_all(session);
        Ok::<_, sqlx::Error>((rows.await?, asked.elapsed()))
    });
    let (rows, took) = rows.await??;

    // The time of the look is that of its answer: a wait that was seen had begun by then.
    let now = Instant::now();
    let mut blockers: HashMap<i32, (i32, Option<String>)> = HashMap::new();
    for (waiting, blocking, lock) in rows {
        blockers.entry(waiting).or_insert((blocking, lock));
    }
    for statement in slow {
        let blocker = blockers.get(&statement.backend_pid).map(|(pid, lock)| Blocker {
            pid: *pid,
            lock: lock.clone(),
            statement: recorder.locking_statement(*pid),
        });
        recorder.note_blocker(*statement, blocker, now);
    }
    Ok(took)
}
