//! A click as a page shows it: sentences, the picture, and a table with a row for each statement.

use flash_sale_diagnosis::sql::{label, short};

use crate::clicks::Click;
use crate::crowd::{Crowd, Fold};
use crate::facts::sentences;
use crate::lane::Step;
use crate::notes::{note, waited};
use crate::picture::{self, Links};
use crate::shelf::Shelf;
use crate::waits::holders_letter;

/// More members of a fold are only counted.
const MOST_MEMBERS: usize = 200;

/// What `lab/click.html` shows.
pub struct ClickView {
    pub number: u64,
    pub date: String,
    pub time: String,
    pub sentences: Vec<String>,
    /// SVG.
    pub picture: String,
    pub rows: Vec<StepRow>,
    pub folds: Vec<FoldRows>,
    /// Whether stock and orders are known.
    pub has_counts: bool,
    /// The click before it, to be laid beside it.
    pub previous: Option<u64>,
}

/// One statement.
pub struct StepRow {
    pub id: String,
    pub at: String,
    pub letter: String,
    pub replica: String,
    pub label: String,
    pub short_sql: String,
    pub sql: String,
    pub parameters: Vec<String>,
    pub took: String,
    pub rows: String,
    pub note: String,
    pub waited: Option<String>,
    pub tag: Option<String>,
    pub message: Option<String>,
    pub stock: String,
    pub orders: String,
}

/// Folded lanes, one row each.
pub struct FoldRows {
    pub id: String,
    pub replica: String,
    pub way: String,
    pub count: usize,
    pub members: Vec<MemberRow>,
}

/// A folded lane.
pub struct MemberRow {
    pub letter: String,
    pub connection: i32,
    pub from: String,
    pub to: String,
    pub waited: String,
    pub ending: String,
}

impl ClickView {
    /// The view of this click. The bars of its picture lead where `links` says.
    ///
    /// # Errors
    /// When the picture can't be drawn.
    pub fn of(click: &Click, links: Links) -> askama::Result<Self> {
        let crowd = Crowd::of(click);
        let picture = picture::draw(&crowd, links)?;
        Ok(Self::with(&crowd, picture))
    }

    /// As [`ClickView::of`], for a projector. The bars lead to the click's own page.
    ///
    /// # Errors
    /// When the picture can't be drawn.
    pub fn for_projector(click: &Click) -> askama::Result<Self> {
        let crowd = Crowd::of(click);
        let picture = picture::draw_for_projector(&crowd, Links::OwnPage, 0.0)?;
        Ok(Self::with(&crowd, picture))
    }

    fn with(crowd: &Crowd, picture: String) -> Self {
        let click = crowd.click;
        let shelf = Shelf::of(crowd);
        let lanes = crowd.lanes.iter().flat_map(|lane| lane.steps.iter().map(move |step| (lane, step)));
        let mut steps: Vec<_> = lanes.collect();
        steps.sort_by(|(_, one), (_, other)| one.began_ms.total_cmp(&other.began_ms));
        let row = |(lane, step): (&crate::lane::Lane, &Step)| {
            let row = row(crowd, step, shelf.as_ref());
            StepRow { letter: lane.letter.clone(), replica: lane.replica.to_owned(), ..row }
        };
        Self {
            number: click.number,
            date: click.began_at.format("%Y-%m-%d").to_string(),
            time: click.began_at.format("%H:%M:%S%.3f").to_string(),
            sentences: sentences(crowd),
            picture,
            rows: steps.into_iter().map(row).collect(),
            folds: crowd.folds.iter().map(|fold| fold_rows(crowd, fold)).collect(),
            has_counts: shelf.is_some(),
            previous: None,
        }
    }
}

fn row(crowd: &Crowd, step: &Step, shelf: Option<&Shelf>) -> StepRow {
    let statement = step.statement;
    // A row stands where its statement was sent. A COMMIT counts there, too. What comes during a wait does not.
    let at_ms =
        if statement.blocked_by.is_some() { step.began_ms } else { step.ended_ms.unwrap_or(f64::INFINITY) };
    let (stock, orders) = shelf.map_or((None, 0), |shelf| shelf.at(at_ms));
    let null = || "NULL".to_owned();
    StepRow {
        id: format!("s-{}-{}", step.transaction.number, step.place),
        at: format!("{:.1}", step.began_ms),
        letter: String::new(),
        replica: String::new(),
        label: label(&statement.sql),
        short_sql: short(&statement.sql),
        sql: statement.sql.clone(),
        parameters: statement.parameters.iter().map(|value| value.clone().unwrap_or_else(null)).collect(),
        took: step.ended_ms.map_or_else(|| "…".to_owned(), |ended| format!("{:.1}", ended - step.began_ms)),
        rows: statement.rows.map_or_else(String::new, |rows| rows.to_string()),
        note: note(step),
        waited: waited(step, holders_letter(crowd, step).as_deref()),
        tag: statement.tag.clone(),
        message: statement.message.clone(),
        stock: stock.map_or_else(|| "?".to_owned(), |stock| stock.to_string()),
        orders: orders.to_string(),
    }
}

fn fold_rows(crowd: &Crowd, fold: &Fold) -> FoldRows {
    let number = fold.lanes.first().map_or(0, |lane| lane.parts[0].number);
    let members = fold.lanes.iter().take(MOST_MEMBERS).map(|lane| {
        let waits = lane.steps.iter().filter_map(|step| waited(step, holders_letter(crowd, step).as_deref()));
        let from = lane.steps.first().map_or(0.0, |step| step.began_ms);
        let to = lane.steps.last().and_then(|step| step.ended_ms);
        MemberRow {
            letter: lane.letter.clone(),
            connection: lane.backend_pid,
            from: format!("{from:.1}"),
            to: to.map_or_else(|| "…".to_owned(), |to| format!("{to:.1}")),
            waited: waits.collect::<Vec<_>>().join(", "),
            ending: lane.ending(),
        }
    });
    FoldRows {
        id: format!("f-{number}"),
        replica: fold.replica.to_owned(),
        way: fold.way.clone(),
        count: fold.lanes.len(),
        members: members.collect(),
    }
}
