//! Starts a process inside its environment, and keeps the others out of its reach.

pub mod dns;
pub mod hello;
pub mod plan {
    //! What an environment may reach.

    pub mod implied;
    pub mod preset;
}
