//! An independent model of two purchases: it counts the schedules from the rules of locks alone, and knows nothing of the
//! explorer or of PostgreSQL.

use std::collections::BTreeSet;

/// A statement of a purchase.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Model {
    Begin,
    /// Takes a lock that only buyers take, and looks at nothing.
    Lock,
    /// Reads the stock.
    Read,
    /// Takes the row's lock, then reads the stock.
    ReadLocked,
    /// Adds an order. Its foreign key waits for nobody who has only read; it waits for `ReadLocked` of the other buyer.
    Insert,
    /// Takes one copy, and the row's lock.
    Take,
    /// Takes one copy if there is one, and the row's lock.
    TakeIfAny,
    Commit,
    Rollback,
}

/// What the model has counted.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counted {
    pub schedules: usize,
    pub oversold: usize,
    pub waited: usize,
}

#[derive(Clone)]
struct Buyer {
    rest: Vec<Model>,
    taken: i64,
    orders: i64,
    /// It was let go on with its first statement, and waits for the lock.
    is_waiting: bool,
}

#[derive(Clone)]
struct World {
    buyers: [Buyer; 2],
    stock: i64,
    orders: i64,
    holder: Option<usize>,
    has_waited: bool,
}

/// Counts the schedules of two buyers who make these statements, with one copy in stock.
pub fn count(statements: &[Model]) -> Counted {
    let buyer = Buyer { rest: statements.to_vec(), taken: 0, orders: 0, is_waiting: false };
    let world =
        World { buyers: [buyer.clone(), buyer], stock: 1, orders: 0, holder: None, has_waited: false };
    let mut counted = Counted::default();
    go_on(&world, &mut counted);
    counted
}

fn go_on(world: &World, counted: &mut Counted) {
    let able: BTreeSet<usize> = (0..2)
        .filter(|buyer| !world.buyers[*buyer].rest.is_empty() && !world.buyers[*buyer].is_waiting)
        .collect();
    if able.is_empty() {
        counted.schedules += 1;
        counted.oversold += usize::from(world.stock < 0);
        counted.waited += usize::from(world.has_waited);
    }
    for buyer in able {
        let mut next = world.clone();
        next.step(buyer);
        go_on(&next, counted);
    }
}

impl World {
    fn step(&mut self, buyer: usize) {
        let statement = self.buyers[buyer].rest[0];
        let takes_lock =
            matches!(statement, Model::Lock | Model::ReadLocked | Model::Take | Model::TakeIfAny);
        if takes_lock && self.holder.is_some_and(|holder| holder != buyer) {
            self.buyers[buyer].is_waiting = true;
            self.has_waited = true;
            return;
        }
        if takes_lock {
            self.holder = Some(buyer);
        }
        self.buyers[buyer].rest.remove(0);
        let seen = self.stock - self.buyers[buyer].taken;
        match statement {
            Model::Read | Model::ReadLocked | Model::TakeIfAny if seen <= 0 => {
                self.buyers[buyer].rest = vec![Model::Rollback];
            }
            Model::Insert => self.buyers[buyer].orders = 1,
            Model::Take | Model::TakeIfAny => self.buyers[buyer].taken = 1,
            Model::Commit | Model::Rollback => self.end(buyer, statement == Model::Commit),
            _ => {}
        }
    }

    fn end(&mut self, buyer: usize, commits: bool) {
        if commits {
            self.stock -= self.buyers[buyer].taken;
            self.orders += self.buyers[buyer].orders;
        }
        if self.holder == Some(buyer) {
            self.holder = None;
            let other = 1 - buyer;
            if std::mem::take(&mut self.buyers[other].is_waiting) {
                self.step(other);
            }
        }
    }
}
