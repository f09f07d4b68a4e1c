//! The other end of a start's question about marks: asks all resources at once, answers, and ends with whatever is still waiting.

use ringfence_data::probe;

use crate::ambient;
use crate::failure::{Failure, exit};
use crate::output::Output;

pub(crate) fn run(output: &mut Output) -> Result<u8, Failure> {
    let asked = ambient::question().ok();
    let Some((targets, within)) = asked.and_then(|bytes| probe::decode(&bytes)) else {
        return Err(Failure::error(exit::USAGE, "there is no question on standard input").into());
    };
    output.print_json(&probe::ask(targets, within))
}
