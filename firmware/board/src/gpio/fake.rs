//! A kernel without hardware: tests set its levels, its edges and its errors.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

use super::kernel::{Event, Held, Kernel, Wanted};
use crate::driver::LineCause;
use crate::line::Line;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Request(u32, Wanted),
    Set(u32, bool),
}

#[derive(Debug, Default)]
struct State {
    calls: Vec<Call>,
    levels: BTreeMap<u32, bool>,
    events: BTreeMap<u32, VecDeque<Event>>,
    broken: BTreeMap<u32, Errno>,
    occupied: BTreeMap<u32, String>,
    no_edges: bool,
    keeps_outputs: bool,
    /// Driving the first makes the second's level follow.
    coupled: Option<(u32, u32)>,
    now_ns: u64,
    paused_ms: u32,
}

/// One chip of 16 lines, whatever it is called; clones are the same kernel.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakeKernel(Arc<Mutex<State>>);

impl FakeKernel {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn level(&self, offset: u32, active: bool) {
        self.state().levels.insert(offset, active);
    }

    pub(crate) fn edge(&self, offset: u32, active: bool, at_ns: u64) {
        self.state().events.entry(offset).or_default().push_back(Event { active, at_ns });
    }

    pub(crate) fn set_now_ns(&self, now_ns: u64) {
        self.state().now_ns = now_ns;
    }

    pub(crate) fn break_line(&self, offset: u32, errno: Errno) {
        self.state().broken.insert(offset, errno);
    }

    pub(crate) fn occupy(&self, offset: u32, consumer: &str) {
        self.state().occupied.insert(offset, consumer.to_owned());
    }

    pub(crate) fn without_edges(&self) {
        self.state().no_edges = true;
    }

    pub(crate) fn keep_outputs(&self) {
        self.state().keeps_outputs = true;
    }

    pub(crate) fn couple(&self, driven: u32, follows: u32) {
        self.state().coupled = Some((driven, follows));
    }

    pub(crate) fn paused_ms(&self) -> u32 {
        self.state().paused_ms
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.state().calls.clone()
    }

    /// What a line was driven to, its first level included.
    pub(crate) fn driven(&self, line: u32) -> Vec<bool> {
        let driven = |call| match call {
            Call::Request(offset, Wanted::Output { active }) | Call::Set(offset, active) => {
                (offset == line).then_some(active)
            }
            Call::Request(..) => None,
        };
        self.calls().into_iter().filter_map(driven).collect()
    }
}

impl Kernel for FakeKernel {
    fn consumer(&self, line: &Line) -> Result<Option<String>, LineCause> {
        let (state, offset) = (self.state(), line.offset.get());
        match offset {
            0..16 => Ok(state.occupied.get(&offset).cloned()),
            _ => Err(LineCause::NoLine { lines: 16 }),
        }
    }

    fn request(&self, line: &Line, wanted: Wanted) -> Result<Box<dyn Held>, Errno> {
        let (mut state, offset) = (self.state(), line.offset.get());
        if state.no_edges && matches!(wanted, Wanted::Edges { .. }) {
            return Err(Errno::NXIO);
        }
        if let Some(errno) = state.broken.get(&offset) {
            return Err(*errno);
        }
        state.calls.push(Call::Request(offset, wanted));
        Ok(Box::new(FakeLine { offset, kernel: self.clone() }))
    }

    fn keeps_outputs(&self) -> bool {
        self.state().keeps_outputs
    }

    fn now_ns(&self) -> u64 {
        self.state().now_ns
    }

    fn pause(&self, ms: u32) {
        self.state().paused_ms += ms;
    }
}

#[derive(Debug)]
struct FakeLine {
    offset: u32,
    kernel: FakeKernel,
}

impl FakeLine {
    fn state(&self) -> Result<MutexGuard<'_, State>, Errno> {
        let state = self.kernel.state();
        match state.broken.get(&self.offset) {
            Some(errno) => Err(*errno),
            None => Ok(state),
        }
    }
}

impl Held for FakeLine {
    fn set(&self, active: bool) -> Result<(), Errno> {
        let mut state = self.state()?;
        state.calls.push(Call::Set(self.offset, active));
        if let Some((driven, follows)) = state.coupled
            && driven == self.offset
        {
            state.levels.insert(follows, active);
        }
        Ok(())
    }

    fn level(&self) -> Result<bool, Errno> {
        Ok(self.state()?.levels.get(&self.offset).copied().unwrap_or(false))
    }

    fn event(&self) -> Result<Option<Event>, Errno> {
        Ok(self.state()?.events.get_mut(&self.offset).and_then(VecDeque::pop_front))
    }
}
