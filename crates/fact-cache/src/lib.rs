//! A bounded cache of facts that are read from a database and change while they are being read.
//!
//! The promise: the cache never holds what was read before an invalidation that concerns it, however long the read took,
//! and it is fresh only as long as its owner keeps polling for changes.
//!
//! A read begins with a [`ReadStamp`] and hands its result in with it. [`FactCache::insert`] drops the result if the fact
//! was invalidated since the stamp was taken. Facts may share a value of one epoch (`S`: settings, for example); facts of
//! another epoch than the cached one are dropped too.
//!
//! Everything here is synchronous and takes `&mut self` to change: the owner puts a lock around it. Time is an argument.

mod cache;
mod slots;

pub use cache::{Discarded, FactCache, Invalidation, Lookup, Options, Poll, ReadStamp};

/// A fact, found by two names: the one that clients present, and the one that changes refer to.
pub trait Fact {
    type Name: Copy + Eq + std::hash::Hash + std::fmt::Debug;
    type Id: Copy + Eq + std::hash::Hash + std::fmt::Debug;

    fn name(&self) -> Self::Name;
    fn id(&self) -> Self::Id;
}
