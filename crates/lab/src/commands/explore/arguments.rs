//! The arguments of `lab explore`: which requests are played, what befalls one of them, and how much is left out.

use std::time::Duration;

use anyhow::bail;
use clap::{Args, ValueEnum};
use flash_sale_explorer::{Act, ExploreOptions, Inside, Trouble, TroubleKind};

/// The value of the Idempotency-Key. The explorer's database forgets it before each schedule.
const KEY: &str = "key of A";

/// What is explored, and how.
#[derive(Args)]
#[command(
    after_help = "A schedule is one order in which the statements of the requests follow one another. Exit code: 0 no \
                  rule is broken, 1 a rule is broken, 2 nothing was explored."
)]
pub struct ExploreArguments {
    /// How many purchases
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(2..=3))]
    buyers: u8,
    /// Copies at first
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    stock: u32,
    /// A way to sell, as make race ARGS=--list names it [default: what the shop does by itself]
    #[arg(long)]
    strategy: Option<String>,
    /// Purchase A has an Idempotency-Key. Where A gets no clear answer, its buyer asks again with the key
    #[arg(long)]
    key: bool,
    /// A and B are two requests of one buyer, with one Idempotency-Key
    #[arg(long, conflicts_with_all = ["key", "buyers"])]
    same_key: bool,
    /// B is no purchase, but this request
    #[arg(long, value_enum, value_name = "REQUEST", conflicts_with_all = ["same_key", "buyers"])]
    with: Option<WithArgument>,
    /// What befalls purchase A: once at each of its statements, in all schedules
    #[arg(long, value_enum)]
    trouble: Option<TroubleArgument>,
    /// The trouble befalls A only at this statement of A, from 1
    #[arg(long, value_name = "STATEMENT", requires = "trouble", value_parser = clap::value_parser!(u16).range(1..=500))]
    at: Option<u16>,
    /// Play only this schedule, as AAABBBBBAA: the letters say which request goes on at each step. Digits before them say
    /// what chance chooses for each request
    #[arg(long, value_name = "LETTERS")]
    pub replay: Option<String>,
    /// Print one JSON object, whatever happens; error, when nothing was explored
    #[arg(long)]
    pub json: bool,
    /// Which statements are also stopped after they have read, and before they write
    #[arg(long, value_enum, default_value = "where-it-reads")]
    inside: InsideArgument,
    /// Leave out schedules from which nothing new can come. So it is for three purchases, for a key, and for a trouble
    #[arg(long, conflicts_with = "no_reduction")]
    reduction: bool,
    /// Leave out nothing. So it is otherwise
    #[arg(long)]
    no_reduction: bool,
    /// Begin no schedule after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    time_limit: u32,
}

#[derive(Clone, Copy, ValueEnum)]
enum InsideArgument {
    /// None of them
    Never,
    /// Those that both read and write
    WhereItReads,
    /// All that write
    Always,
}

#[derive(Clone, Copy, ValueEnum)]
enum WithArgument {
    /// Puts one copy back into stock, and deletes the orders
    Reset,
    /// Reads the shop's page
    Page,
}

#[derive(Clone, Copy, ValueEnum)]
enum TroubleArgument {
    /// Its client closes the connection before the statement goes on
    ClientLeaves,
    /// The connection to PostgreSQL breaks, and PostgreSQL never gets the statement
    ConnectionBreaks,
    /// PostgreSQL carries the statement out, and the connection breaks before the answer arrives
    AnswerLost,
}

impl ExploreArguments {
    /// What the explorer is told. `trouble` is there if it befalls A at one statement only.
    pub fn options(&self) -> ExploreOptions {
        let acts = self.acts();
        let needs_reduction = acts.len() > 2 || self.key || self.same_key || self.trouble.is_some();
        let at = self.at.map(|at| usize::from(at) - 1);
        ExploreOptions {
            acts,
            stock: self.stock,
            dice: Vec::new(),
            inside: match self.inside {
                InsideArgument::Never => Inside::Never,
                InsideArgument::WhereItReads => Inside::WhereItReads,
                InsideArgument::Always => Inside::Always,
            },
            trouble: self.trouble().zip(at).map(|(kind, step)| Trouble { kind, step }),
            is_reduced: self.reduction || (needs_reduction && !self.no_reduction),
            time_limit: Duration::from_secs(self.time_limit.into()),
        }
    }

    /// What befalls A.
    pub fn trouble(&self) -> Option<TroubleKind> {
        self.trouble.map(|trouble| match trouble {
            TroubleArgument::ClientLeaves => TroubleKind::ClientLeaves,
            TroubleArgument::ConnectionBreaks => TroubleKind::ConnectionBreaks,
            TroubleArgument::AnswerLost => TroubleKind::AnswerIsLost,
        })
    }

    fn acts(&self) -> Vec<Act> {
        let purchase = |has_key: bool| Act::Buy {
            strategy: self.strategy.clone(),
            key: has_key.then(|| KEY.to_owned()),
        };
        let mut acts = vec![purchase(self.key || self.same_key)];
        match self.with {
            Some(WithArgument::Reset) => acts.push(Act::Reset),
            Some(WithArgument::Page) => acts.push(Act::Page),
            None => acts.resize(self.buyers.into(), purchase(self.same_key)),
        }
        acts
    }

    /// The arguments that a replay of one schedule needs, with a space before each. `trouble` is what befalls A in it.
    pub fn of_replay(&self, trouble: Option<Trouble>) -> String {
        let mut arguments = String::new();
        let mut add = |argument: &str| {
            arguments.push(' ');
            arguments.push_str(argument);
        };
        if self.buyers != 2 {
            add(&format!("--buyers {}", self.buyers));
        }
        if self.stock != 1 {
            add(&format!("--stock {}", self.stock));
        }
        if let Some(strategy) = &self.strategy {
            add(&format!("--strategy {strategy}"));
        }
        if self.key {
            add("--key");
        }
        if self.same_key {
            add("--same-key");
        }
        if let Some(with) = self.with {
            add(&format!("--with {}", name_of(with)));
        }
        if let Some((name, trouble)) = self.trouble.map(name_of).zip(trouble) {
            add(&format!("--trouble {name} --at {}", trouble.step + 1));
        }
        match self.inside {
            InsideArgument::Never => add("--inside never"),
            InsideArgument::WhereItReads => {}
            InsideArgument::Always => add("--inside always"),
        }
        arguments
    }

    /// # Errors
    /// When a schedule is to be played with a trouble, and nobody says at which statement.
    pub fn require_place_of_trouble(&self) -> anyhow::Result<()> {
        if self.replay.is_some() && self.trouble.is_some() && self.at.is_none() {
            bail!(
                "--replay plays one schedule, so --trouble needs --at: the statement of A, from 1, at which it comes"
            )
        }
        Ok(())
    }
}

/// The word that a person types.
fn name_of(value: impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}
