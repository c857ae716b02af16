//! Walks every state of a door.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};

use arcdoor_core::{Millis, SubjectId};
use arcdoor_door::scenario::{Machine, event_text};
use arcdoor_door::{Action, Civil, Contact, Credential, Event, Kept, Now, Policy, Position};

use super::witness::{Broken, Happening, Passing, Witness};
use super::worlds::{BOB, World};

/// When the first step is. A clock that runs backwards has room to.
const START_MS: u64 = 10_000;
/// Far beyond every delay, milliseconds.
const FAR_MS: u64 = 1 << 33;

/// What a search found out.
#[derive(Debug)]
pub(crate) struct Searched {
    /// Whether no state is left out.
    pub(crate) is_whole: bool,
    pub(crate) states: usize,
    pub(crate) steps: usize,
    pub(crate) most_actions: usize,
}

/// A rule that is broken, and the shortest way there, as a scenario.
#[derive(Debug)]
pub(crate) struct CounterExample {
    pub(crate) rule: Broken,
    pub(crate) scenario: String,
}

#[derive(Debug, Clone, Copy)]
struct Move {
    clock: usize,
    passing: Passing,
    happening: Happening,
}

/// A door, the witness beside it, and the clock that both were seen by last.
#[derive(Clone)]
struct Scene<M> {
    door: M,
    witness: Witness,
    mono_ms: u64,
    clock: usize,
}

impl<M: Machine> Scene<M> {
    fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.door.fingerprint(), &self.witness, self.clock).hash(&mut hasher);
        hasher.finish()
    }
}

struct Search<'a, M> {
    world: &'a World,
    policy: Policy,
    clocks: Vec<Option<Civil>>,
    moves: Vec<Move>,
    known: HashMap<u64, u32>,
    /// How each state was reached first.
    origins: Vec<Option<(u32, Move)>>,
    /// Who leads where, to find the way back.
    arrows: Vec<(u32, u32)>,
    at_rest: Vec<bool>,
    frontier: std::collections::VecDeque<(u32, Scene<M>)>,
    steps: usize,
    most_actions: usize,
}

/// Searches the states of `world`: all of them, or the first `most` that turn up.
pub(crate) fn search<M: Machine>(world: &World, most: usize) -> Result<Searched, CounterExample> {
    let mut search = Search::<M>::new(world);
    let scene = search.begin()?;
    search.meet(scene, None);
    while let Some((id, scene)) = search.frontier.pop_front() {
        for index in 0..search.moves.len() {
            let movement = search.moves[index];
            let next = search
                .step(&scene, movement)
                .map_err(|rule| search.counter_example(rule, Some(id), movement))?;
            let to = search.meet(next, Some((id, movement)));
            search.arrows.push((id, to));
        }
        if search.origins.len() > most {
            return Ok(search.found(false));
        }
    }
    search.find_ways_back()?;
    Ok(search.found(true))
}

/// Walks one way through `world`: each of `choices` is one of its moves.
pub(crate) fn walk<M: Machine>(world: &World, choices: &[u16]) -> Result<(), CounterExample> {
    let mut search = Search::<M>::new(world);
    let mut scene = search.begin()?;
    let mut way = Vec::new();
    for choice in choices {
        let movement = search.moves[usize::from(*choice) % search.moves.len()];
        scene = search.step(&scene, movement).map_err(|rule| CounterExample {
            rule,
            scenario: search.write(way.clone(), Some((rule, movement))),
        })?;
        way.push(movement);
    }
    Ok(())
}

impl<'a, M: Machine> Search<'a, M> {
    /// The door after its first step.
    fn begin(&mut self) -> Result<Scene<M>, CounterExample> {
        let first = Move { clock: 0, passing: Passing::Ms(0), happening: Happening::Event(Event::Tick) };
        let now = Now { mono: Millis(START_MS), civil: self.clocks[0] };
        let door = M::start(Kept::default(), now);
        let witness = Witness::at_start(&Kept::default());
        let scene = Scene { door, witness, mono_ms: START_MS, clock: 0 };
        self.step(&scene, first).map_err(|rule| self.counter_example(rule, None, first))
    }

    fn new(world: &'a World) -> Self {
        let clocks: Vec<_> = world.clocks.iter().map(|clock| civil(clock)).collect();
        Self {
            world,
            policy: world.policy(),
            moves: moves(world),
            clocks,
            known: HashMap::new(),
            origins: Vec::new(),
            arrows: Vec::new(),
            at_rest: Vec::new(),
            frontier: std::collections::VecDeque::new(),
            steps: 0,
            most_actions: 0,
        }
    }

    const fn found(&self, is_whole: bool) -> Searched {
        let (states, steps, most_actions) = (self.origins.len(), self.steps, self.most_actions);
        Searched { is_whole, states, steps, most_actions }
    }

    /// The number of a scene; one that is new is walked on from.
    fn meet(&mut self, scene: Scene<M>, origin: Option<(u32, Move)>) -> u32 {
        let next = u32::try_from(self.origins.len()).unwrap();
        let id = *self.known.entry(scene.key()).or_insert(next);
        if id == next {
            self.origins.push(origin);
            self.at_rest.push(scene.witness.is_at_rest(&scene.door));
            self.frontier.push_back((id, scene));
        }
        id
    }

    fn step(&mut self, scene: &Scene<M>, movement: Move) -> Result<Scene<M>, Broken> {
        self.steps += 1;
        let mut next = scene.clone();
        next.clock = movement.clock;
        next.mono_ms = match movement.passing {
            Passing::Ms(ms) => scene.mono_ms + ms,
            Passing::Far => scene.mono_ms + FAR_MS,
            Passing::Back => scene.mono_ms - 1,
        };
        let now = Now { mono: Millis(next.mono_ms), civil: self.clocks[movement.clock] };
        let (event, passing) = match movement.happening {
            Happening::Event(event) => (event, movement.passing),
            Happening::Restart => {
                next.door = M::start(scene.door.kept().clone(), now);
                next.witness = scene.witness.restarted();
                (Event::Tick, Passing::Ms(0))
            }
        };
        let before = next.door.clone();
        let actions = next.door.step(&self.policy, event, now);
        self.most_actions = self.most_actions.max(actions.len());
        self.check_twin(&before, &next.door, event, now, &actions)?;
        let seen = (&before, &next.door);
        next.witness.watch(seen, &self.policy, passing, self.clocks[movement.clock], event, &actions)?;
        self.check_bound(&next, now)?;
        Ok(next)
    }

    /// A duress PIN does what the other PIN does, but for one silent action.
    fn check_twin(
        &self,
        before: &M,
        after: &M,
        event: Event,
        now: Now,
        actions: &[Action],
    ) -> Result<(), Broken> {
        let Event::Present(Credential::Pin { subject, duress: true }) = event else { return Ok(()) };
        let mut twin = before.clone();
        let calm = Event::Present(Credential::Pin { subject, duress: false });
        let told = twin.step(&self.policy, calm, now);
        let loud = actions.iter().filter(|action| !matches!(action, Action::Duress { .. }));
        let same = loud.eq(told.iter()) && twin.fingerprint() == after.fingerprint();
        let shown = twin.view() == after.view() && twin.indicators() == after.indicators();
        if same && shown { Ok(()) } else { Err("a duress grant looks like any other, then and ever after") }
    }

    /// However it was unlocked, but by hours and fire: it is locked again once its time is over, and once the clock runs
    /// backwards, whatever it showed.
    fn check_bound(&self, scene: &Scene<M>, now: Now) -> Result<(), Broken> {
        let fields = self.policy.fields();
        let is_free = scene.witness.stays_unlocked();
        if is_free || scene.door.position() == Position::Locked {
            return Ok(());
        }
        let bound_ms = u64::from(fields.unlock_ms.max(fields.held.warn_ms));
        for mono in [now.mono.plus(bound_ms), now.mono.plus(FAR_MS), Millis(now.mono.0 - 1)] {
            let mut later = scene.door.clone();
            later.step(&self.policy, Event::Tick, Now { mono, civil: now.civil });
            if later.position() == Position::Unlocked {
                return Err("a door that a grant unlocked is locked again in bounded time");
            }
        }
        Ok(())
    }

    /// From every state there is a way to a door at rest.
    fn find_ways_back(&self) -> Result<(), CounterExample> {
        let count = self.origins.len();
        let mut starts = vec![0_u32; count + 1];
        for (_, to) in &self.arrows {
            starts[*to as usize + 1] += 1;
        }
        for index in 0..count {
            starts[index + 1] += starts[index];
        }
        let mut places = starts.clone();
        let mut sources = vec![0_u32; self.arrows.len()];
        for (from, to) in &self.arrows {
            sources[places[*to as usize] as usize] = *from;
            places[*to as usize] += 1;
        }
        let mut leads = self.at_rest.clone();
        let mut waiting: Vec<usize> = (0..count).filter(|state| leads[*state]).collect();
        while let Some(state) = waiting.pop() {
            for source in &sources[starts[state] as usize..starts[state + 1] as usize] {
                if !std::mem::replace(&mut leads[*source as usize], true) {
                    waiting.push(*source as usize);
                }
            }
        }
        let Some(lost) = leads.iter().position(|leads| !leads) else { return Ok(()) };
        let scenario = self.write(self.way(Some(u32::try_from(lost).unwrap())), None);
        Err(CounterExample { rule: "from every state there is a way back to a door at rest", scenario })
    }

    fn way(&self, to: Option<u32>) -> Vec<Move> {
        let mut way = Vec::new();
        let mut state = to;
        while let Some((from, movement)) = state.and_then(|state| self.origins[state as usize]) {
            way.push(movement);
            state = Some(from);
        }
        way.reverse();
        way
    }

    fn counter_example(&self, rule: Broken, from: Option<u32>, last: Move) -> CounterExample {
        CounterExample { rule, scenario: self.write(self.way(from), Some((rule, last))) }
    }

    /// Moves as a scenario.
    fn write(&self, way: Vec<Move>, last: Option<(Broken, Move)>) -> String {
        let mut text = format!(
            "# {}\n{}\nclock {}\n0:10.0 tick\n",
            self.world.name, self.world.rules, self.world.clocks[0]
        );
        let name = |subject: SubjectId| if subject == BOB { "bob".to_owned() } else { "ada".to_owned() };
        let mut clock = 0;
        for movement in way.iter().chain(last.iter().map(|(_, movement)| movement)) {
            if movement.clock != clock {
                clock = movement.clock;
                writeln!(text, "clock {}", self.world.clocks[clock]).unwrap();
            }
            let time = match movement.passing {
                Passing::Ms(ms) => format!("+{ms}ms"),
                Passing::Far => format!("+{FAR_MS}ms"),
                Passing::Back => "-1ms".to_owned(),
            };
            let event = match movement.happening {
                Happening::Event(event) => event_text(event, &name),
                Happening::Restart => "restart".to_owned(),
            };
            writeln!(text, "{time} {event}").unwrap();
        }
        if let Some((rule, _)) = last {
            writeln!(text, "# broken: {rule}").unwrap();
        }
        text
    }
}

/// Every event at every class of time; a restart; a clock that jumps, with and without the door moving; and every change
/// of the clock on the wall.
fn moves(world: &World) -> Vec<Move> {
    let mut moves = Vec::new();
    let opens = [Event::Tick, Event::Contact(Contact::Open), Event::Contact(Contact::Closed)];
    let credential = world.events.first().copied().into_iter();
    let happenings = world.events.iter().copied().chain([Event::Tick]).map(Happening::Event);
    for clock in 0..world.clocks.len() {
        for happening in happenings.clone().chain([Happening::Restart]) {
            let steps = world.steps_ms.iter().map(|ms| Passing::Ms(*ms));
            moves.extend(steps.map(|passing| Move { clock, passing, happening }));
        }
        for event in opens.into_iter().chain(credential.clone()) {
            let happening = Happening::Event(event);
            moves.extend([Passing::Far, Passing::Back].map(|passing| Move { clock, passing, happening }));
        }
    }
    moves
}

fn civil(text: &str) -> Option<Civil> {
    let (date, minute) = text.split_once(' ')?;
    Some(Civil { date: date.parse().unwrap(), minute: minute.parse().unwrap() })
}
