//! Clients that ask and write down what they see.

use crate::anomaly::{Anomaly, Class};
use crate::history::{Effect, Key, NEVER, Number, Operation, Outcome};
use crate::request::{Hashes, INDIRECT, Request, STEPS, steps_on_declared};
use crate::step::{GROUP, Step};
use crate::workload::{Kind, Workload};
use crate::world::{TAG, World};
use base::random::Random;
use std::collections::{HashMap, HashSet};
use std::io::ErrorKind;
use testkit::client::encode;
use testkit::{Client, Value};

/// How to play.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    /// On one machine the clients get as much done as the server.
    pub clients: usize,
    pub operations: usize,
    /// Shards of the server, for keys to lie on all of them.
    pub shards: u16,
    pub kinds: Vec<Kind>,
}

/// Asks what is in all keys in pipelines of so many.
const AUDIT_PIPELINE: usize = 500;
/// How often the same key is read at the end: a second time after all have been read.
const AUDITS: usize = 2;
/// One pipeline out of so many is left in the middle.
const VANISH_ONE_IN: u64 = 120;

/// One client with its connection.
struct Player<'a> {
    plan: &'a Plan,
    hashes: &'a Hashes,
    connect: &'a (dyn Fn() -> std::io::Result<Client> + Sync),
    load: Workload<'a>,
    link: Client,
    done: Vec<Operation>,
}

/// Lets clients do what the plan says, then reads everything, and gives the history.
///
/// # Errors
/// When a reply is none to its request, or does not come.
pub fn record(
    plan: &Plan,
    connect: &(dyn Fn() -> std::io::Result<Client> + Sync),
) -> Result<Vec<Operation>, Anomaly> {
    let world = World::new(plan.clients, plan.shards);
    let mut first = connect().map_err(|error| silence(&error.to_string()))?;
    let hashes = prepare(&mut first, &world, plan);
    if plan.kinds.contains(&Kind::Groups) {
        make_groups(&mut first, &world, 0)?;
    }
    let run = |client: usize| -> Result<Vec<Operation>, Anomaly> {
        let random = Random::from_seed(plan.seed ^ (client as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let load = Workload { world: &world, kinds: &plan.kinds, random, client, connection: 0 };
        let link = connect().map_err(|error| silence(&error.to_string()))?;
        let mut player = Player { plan, hashes: &hashes, connect, load, link, done: Vec::new() };
        player.enter()?;
        player.play()?;
        Ok(player.done)
    };
    let results: Vec<Result<Vec<Operation>, Anomaly>> = std::thread::scope(|scope| {
        let run = &run;
        let threads: Vec<_> = (0..plan.clients).map(|client| scope.spawn(move || run(client))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no client panics")).collect()
    });
    let mut operations = Vec::with_capacity(plan.operations);
    for result in results {
        operations.extend(result?);
    }
    for number in 0..AUDITS {
        let mut keys = world.all_keys();
        // Who reads what is left in a group takes it.
        let reads_groups = plan.kinds.contains(&Kind::Groups) && number == 0;
        keys.retain(|key| reads_groups || !matches!(key, Key::Group(_)));
        operations.extend(audit(&mut first, &world, &keys)?);
    }
    settle(&mut operations, &world)?;
    Ok(operations)
}

/// Makes the groups of a connection.
fn make_groups(client: &mut Client, world: &World, connection: u32) -> Result<(), Anomaly> {
    for key in world.groups_of(connection) {
        let words = ["XGROUP", "CREATE", &world.name(key), GROUP, "0", "MKSTREAM"];
        let made = client.try_cmd(&words).map_err(|error| silence(&error.to_string()))?;
        if !made.is_ok() {
            return Err(silence(&format!("XGROUP CREATE was answered by {made}")));
        }
    }
    Ok(())
}

/// Sets what scripts need to be there.
fn prepare(client: &mut Client, world: &World, plan: &Plan) -> Hashes {
    for (at, tag) in world.tags().iter().enumerate() {
        client.cmd(&["SET", &format!("{TAG}{at}"), tag]);
    }
    let scripts = [Kind::Scripts, Kind::UndeclaredScripts, Kind::IndirectScripts];
    if !plan.kinds.iter().any(|kind| scripts.contains(kind)) {
        return Hashes::default();
    }
    let mut load = |script: &str| client.cmd(&["SCRIPT", "LOAD", script]).string().unwrap_or_default();
    Hashes { steps: load(STEPS), on_declared: load(&steps_on_declared()), indirect: load(INDIRECT) }
}

fn silence(what: &str) -> Anomaly {
    Anomaly { class: Class::Silence, text: what.to_owned() }
}

/// What became of a pipeline.
enum End {
    Answered,
    Lost,
}

impl Player<'_> {
    /// Makes itself known on a new connection.
    fn enter(&mut self) -> Result<(), Anomaly> {
        let id = self.link.try_cmd(&["CLIENT", "ID"]).map_err(|error| silence(&error.to_string()))?;
        let id = id.integer().ok_or_else(|| silence(&format!("CLIENT ID was answered by {id}")))?;
        let world = self.load.world;
        self.load.connection = world.connection();
        if self.load.has(Kind::Groups) {
            make_groups(&mut self.link, world, self.load.connection)?;
        }
        world.enter(self.load.client, self.load.connection, id as u64);
        Ok(())
    }

    fn play(&mut self) -> Result<(), Anomaly> {
        let quota = self.plan.operations / self.plan.clients;
        while self.done.len() < quota {
            let requests = self.load.pipeline();
            let watches = matches!(requests[..], [Request::Watch(_)]);
            let before = self.done.len();
            let mut end = self.send(requests)?;
            if watches && matches!(end, End::Answered) {
                let seen = self.done[before..].iter().flat_map(|read| read.effects.clone()).collect();
                let next = self.load.after_watch(seen);
                end = self.send(next)?;
            }
            if matches!(end, End::Lost) {
                self.link = (self.connect)().map_err(|error| silence(&error.to_string()))?;
                self.enter()?;
            }
        }
        Ok(())
    }

    /// Sends requests in one go, and notes what comes of them.
    fn send(&mut self, requests: Vec<Request>) -> Result<End, Anomaly> {
        let world = self.load.world;
        let commands: Vec<Vec<Vec<String>>> =
            requests.iter().map(|request| request.commands(world, self.hashes)).collect();
        let bytes: Vec<u8> = commands.iter().flatten().flat_map(|words| encode(words)).collect();
        let vanishes = self.load.has(Kind::Vanishing) && self.load.random.below(VANISH_ONE_IN) == 0;
        let mut left = match vanishes {
            true => self.load.random.index(commands.iter().map(Vec::len).sum()),
            false => usize::MAX,
        };
        let invoked_ns = world.now_ns();
        let mut is_lost = self.link.send_raw(&bytes).is_err();
        for (request, commands) in requests.iter().zip(&commands) {
            let mut replies = Vec::with_capacity(commands.len());
            while !is_lost && replies.len() < commands.len() {
                if left == 0 {
                    is_lost = true;
                    break;
                }
                left -= 1;
                match self.link.reply() {
                    Ok(reply) => replies.push(reply),
                    Err(error) if error.kind() == ErrorKind::TimedOut => {
                        return Err(silence(&format!("no reply to {}", commands[replies.len()].join(" "))));
                    }
                    Err(_) => is_lost = true,
                }
            }
            self.note(request, invoked_ns, (!is_lost).then_some(&replies))?;
        }
        if vanishes && !is_lost {
            return Ok(End::Answered);
        }
        if is_lost && left == 0 {
            world.abandoned.lock().expect("nobody panics").push(self.load.connection);
        }
        Ok(if is_lost { End::Lost } else { End::Answered })
    }

    /// Notes an operation; without replies when they did not all come.
    fn note(
        &mut self,
        request: &Request,
        invoked_ns: u64,
        replies: Option<&Vec<Value>>,
    ) -> Result<(), Anomaly> {
        let world = self.load.world;
        let wrong = |text: String| Anomaly { class: Class::Reply, text };
        let (completed_ns, (outcome, effects)) = match replies {
            Some(replies) => (world.now_ns(), request.judge(world, replies).map_err(wrong)?),
            None if request.is_refused() => (NEVER, (Outcome::Refused, request.intended())),
            None => (NEVER, (Outcome::Unknown, request.intended())),
        };
        if let Request::Kill { connection, .. } = request {
            match replies.map(|replies| replies[0].integer()) {
                Some(Some(1)) => {
                    let mut killed = world.killed_ns.lock().expect("nobody panics");
                    killed.entry(*connection).or_insert(completed_ns);
                }
                Some(_) => {}
                // Perhaps it was killed, at some time.
                None => world.abandoned.lock().expect("nobody panics").push(*connection),
            }
        }
        let (connection, name, asks_late) = (self.load.connection, request.name(), request.asks_late());
        let is_conditional = request.is_conditional();
        let mut add = |name, effects| {
            let operation = Operation {
                connection,
                name,
                invoked_ns,
                completed_ns,
                outcome,
                is_conditional,
                asks_late,
                effects,
            };
            self.done.push(operation);
        };
        match request {
            // Each of the commands is an operation.
            Request::Watch(_) => effects.into_iter().for_each(|effect| add(name, vec![effect])),
            _ => add(name, effects),
        }
        Ok(())
    }
}

/// Reads keys.
fn audit(client: &mut Client, world: &World, keys: &[Key]) -> Result<Vec<Operation>, Anomaly> {
    let mut done = Vec::new();
    for keys in keys.chunks(AUDIT_PIPELINE) {
        let step = |key: &Key| match key {
            Key::List(_) | Key::Stream(_) | Key::Queue(_) | Key::Group(_) => Step::List(*key),
            Key::Owned(_) | Key::Shared(_) => Step::Get(*key),
        };
        let steps: Vec<Step> = keys.iter().map(step).collect();
        let bytes: Vec<u8> = steps.iter().flat_map(|step| encode(&step.words(world))).collect();
        let invoked_ns = world.now_ns();
        client.send_raw(&bytes).map_err(|error| silence(&error.to_string()))?;
        for step in steps {
            let reply = client.reply().map_err(|error| silence(&error.to_string()))?;
            let wrong = |text: String| Anomaly { class: Class::Reply, text };
            let effects = step.effects(world, &reply).map_err(wrong)?;
            done.push(Operation {
                connection: u32::MAX,
                name: "at the end,",
                invoked_ns,
                completed_ns: world.now_ns(),
                outcome: Outcome::Done,
                is_conditional: false,
                asks_late: false,
                effects,
            });
        }
    }
    Ok(done)
}

/// Says of operations without a reply until when they can have happened, and of those that found their list by what they read, which
/// that is. A connection that was lost must have been killed or given up.
fn settle(operations: &mut [Operation], world: &World) -> Result<(), Anomaly> {
    let killed_ns = world.killed_ns.lock().expect("nobody panics");
    let abandoned: HashSet<u32> = world.abandoned.lock().expect("nobody panics").iter().copied().collect();
    let mut lists: HashMap<Number, Key> = HashMap::new();
    for effect in operations.iter().flat_map(|operation| &operation.effects) {
        if let Effect::List { key: key @ Key::List(_), elements } = effect {
            lists.extend(elements.iter().map(|element| (*element, *key)));
        }
    }
    for operation in operations.iter_mut().filter(|operation| operation.outcome == Outcome::Unknown) {
        operation.completed_ns = killed_ns.get(&operation.connection).copied().unwrap_or(NEVER);
        if !killed_ns.contains_key(&operation.connection) && !abandoned.contains(&operation.connection) {
            let what = "the server has closed a connection, and nobody asked it to";
            return Err(Anomaly::new(Class::Silence, what, &[operation]));
        }
        for effect in &mut operation.effects {
            if let Effect::Append { key: key @ Key::List(u32::MAX), element, .. } = effect
                && let Some(found) = lists.get(element)
            {
                *key = *found;
            }
        }
    }
    Ok(())
}

/// How many operations of each name there were: done, refused, without a reply.
pub fn census(operations: &[Operation]) -> Vec<(&'static str, [usize; 3])> {
    let mut counts: HashMap<&'static str, [usize; 3]> = HashMap::new();
    for operation in operations {
        counts.entry(operation.name).or_default()[operation.outcome as usize] += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_unstable();
    counts
}
