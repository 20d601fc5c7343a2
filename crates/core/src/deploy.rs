//! Deployments: from what is wanted and what was observed to what is to be done.

pub mod observed;
