//! flash-sale-lab
