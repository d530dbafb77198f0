//! std::net, one thread that waits in its calls.

use std::io;

use super::{Task, one_by_one};

pub(in crate::servers) fn run(task: Task) -> io::Result<()> {
    task.ready()?;
    let socket = task.socket;
    one_by_one!(socket, task.post, [])
}
