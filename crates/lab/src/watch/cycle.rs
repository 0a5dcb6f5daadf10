//! What is done after a save: build, play the interleavings, replace the replicas, click. Start with [`Cycle::run`].

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{bail, ensure};
use flash_sale_core::environment;

use super::changes::Changes;
use crate::build::{self, Show};
use crate::check::one_click::{self, OneClick};
use crate::check::{interleavings, naming};
use crate::console;
use crate::control::ask;
use crate::control::messages::{Event, Request, Wanted};
use crate::control::running;
use crate::program::{OwnProgram, run};
use crate::settings::{self, LabSettings};
use crate::shop::client::Shop;

/// These clicks are enough to see whether the bug is there, and take no more than two seconds. `lab check` has more.
const ROUNDS: usize = 10;

/// Builds, replaces the replicas and clicks, again and again.
pub struct Cycle {
    lab: OwnProgram,
}

/// How a cycle ended.
pub enum End {
    /// There is a verdict on the shop, as it was saved.
    Judged(OneClick),
    /// The shop doesn't compile, and the compiler has said why. The replicas are as they were.
    NotBuilt,
    /// Something was saved meanwhile, so this cycle is of no interest any more.
    Overtaken,
}

impl Cycle {
    /// Makes sure that the shop's settings are good before anything is built.
    ///
    /// # Errors
    /// When a setting holds something else than it should.
    pub fn new() -> anyhow::Result<Self> {
        LabSettings::read()?;
        Ok(Self { lab: OwnProgram::find()? })
    }

    /// Runs one cycle, and says what it does and how long that took.
    ///
    /// # Errors
    /// When the shop doesn't start, or doesn't answer as a shop.
    pub async fn run(&mut self, changes: &mut Changes, began: Instant) -> anyhow::Result<End> {
        let built = build::build(Show::All).await?;
        let build = began.elapsed();
        if changes.has_next() {
            return Ok(End::Overtaken);
        }
        let Some(built) = built else { return Ok(End::NotBuilt) };
        if self.lab.is_replaced() {
            console::line(
                "The program behind make watch was built anew. This watch goes on with the old one; for the new one: \
                 q, make stop, make watch",
            );
        }

        // The explorer has replicas of its own. The shop sells as before until the proof is there.
        let silent = |_: &str| {};
        let played = tokio::select! {
            played = async { interleavings::play(interleavings::open(Some(&built.path)).await, &silent).await } => played,
            () = changes.wait() => return Ok(End::Overtaken),
        };
        let proof = began.elapsed() - build;
        match played {
            Ok(played) => {
                console::line(played.in_words());
                if let Some(said) = naming::of_interleavings(&played) {
                    console::line(said);
                }
            }
            Err(reason) => console::line(format_args!("{}: left out: {reason}", interleavings::NAME)),
        }

        self.replace_replicas(built.path).await?;
        let replace = began.elapsed() - proof - build;
        let shop = running_shop().await?;
        let judged = tokio::select! {
            judged = one_click::run(&shop, ROUNDS, &silent) => judged,
            () = changes.wait() => return Ok(End::Overtaken),
        };
        let clicks = began.elapsed() - build - proof - replace;
        console::line(format_args!(
            "{:.1} s: build {:.1}, proof {:.1}, replicas {:.1}, {ROUNDS} clicks {:.1}",
            began.elapsed().as_secs_f64(),
            build.as_secs_f64(),
            proof.as_secs_f64(),
            replace.as_secs_f64(),
            clicks.as_secs_f64()
        ));
        Ok(End::Judged(judged))
    }

    /// The path of the lab's program. It stays the same when a build has replaced the file.
    pub fn lab(&self) -> &Path {
        &self.lab.path
    }

    /// Puts one copy back, and deletes the orders. Returns the number of deleted orders.
    ///
    /// # Errors
    /// When the shop doesn't answer as a shop.
    pub async fn reset(&self) -> anyhow::Result<u64> {
        running_shop().await?.reset().await
    }

    /// Starts new processes of what was built. When nothing runs, starts the whole lab.
    async fn replace_replicas(&self, binary: PathBuf) -> anyhow::Result<()> {
        // Read the settings as they are now: a watch may go on for hours.
        environment::read_dotenv(Path::new("."))?;
        let variables = settings::shop_variables()?;
        let request = Request::Run(Wanted { binary, variables, only_if_changed: false });
        match ask(&request, |line| console::line(line)).await? {
            None => {
                ensure!(run(&self.lab.path, &["up", "--built"]).await?, "the shop doesn't sell: see above")
            }
            Some(Event::Failed(reason) | Event::WithoutDatabase(reason)) => bail!(reason),
            Some(_) => {}
        }
        Ok(())
    }
}

/// The shop at the address where it really runs: the settings may have changed since it was started.
async fn running_shop() -> anyhow::Result<Shop> {
    Shop::at(&format!("http://{}", running().await?.address)).await
}
