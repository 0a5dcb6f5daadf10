//! The league: near-miss fixes of the exercise, and what each judge says of them. A judge is a thing that tells right
//! from wrong: `make check`, `make explore`, `make predict`, and a plain load test. Start with [`league`], which lets
//! all variants be judged. [`catalogue`] has the variants, and [`generate`] makes the code of each of them.

pub mod catalogue;
pub mod document;
pub mod exercise;
pub mod generate;
pub mod judges;
pub mod kept;
pub mod lane;
pub mod league;
pub mod left_over;
pub mod opinion;
pub mod outcome;
pub mod row;
pub mod stress;
pub mod summary;
pub mod tree;
pub mod truth;
pub mod words;
