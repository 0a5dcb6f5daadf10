//! flash-sale-repositories
