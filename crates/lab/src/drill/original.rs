//! What faults of the same kinds did to another system: the exercise's original in Python. These figures were
//! measured once, by hand, and no drill measures them again.

use serde::Serialize;

/// The system, and where its figures come from.
pub const SOURCE: &str = "FastAPI with SQLAlchemy, two uvicorn processes behind nginx, measured once on the \
                          machine that this shop was built on";

/// One of its figures.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Figure {
    /// What was done.
    pub fault: &'static str,
    /// What came of it.
    pub seen: &'static str,
}

/// All figures that were measured.
pub const FIGURES: [Figure; 5] = [
    Figure {
        fault: "a backend killed under load",
        seen: "21 × 502, and at least 3 orders committed whose buyers were told of an error",
    },
    Figure { fault: "PostgreSQL restarted", seen: "341 × 500" },
    Figure {
        fault: "a row lock held for 60 s",
        seen: "the purchase is answered 504 after 60 s, and committed later; /health takes 28 s meanwhile",
    },
    Figure { fault: "200 reads at once", seen: "120 × 500, after 90 s" },
    Figure { fault: "a reset while purchases wait", seen: "2 orders, and a stock of 1" },
];
