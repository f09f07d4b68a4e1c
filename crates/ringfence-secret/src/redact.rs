//! Secrets in the output of a program.
