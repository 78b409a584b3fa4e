//! GEOSEARCH and GEOSEARCHSTORE, and the GEORADIUS commands before them: the members within a shape.
//!
//! The order of checks is that of Redis: the type of the key and the position of a member come before the options
//! behind them.

use super::arguments::{circle, position, rectangle};
use super::position::reply_position;
use crate::families::zset::store;
use crate::items::reply_item;
use crate::spec::{KeySpec, access::*, acl, flag::*};
use crate::{Args, Command, Cx, Error, Outcome};
use resp::Reply;
use std::ops::Range;
use types::ZSet;
use types::geohash::search::{Extent, ScoreRange, Shape};
use types::geohash::{self, Point, Unit};
use types::listpack::Item;
use types::zset::{self, ScoreBound};

const STORE_NOTES: &str =
    "Incomplete because duplicate STORE options use last-wins; fall back to georadiusGetKeys";
const STOREDIST_NOTES: &str =
    "Incomplete because duplicate STOREDIST options use last-wins; fall back to georadiusGetKeys";

pub const COMMANDS: &[Command] = &[
    Command::new("GEORADIUS", georadius)
        .arity(-6)
        .keys(&[
            KeySpec::at(1, RO | ACCESS),
            KeySpec::keyword("STORE", 6, OW | UPDATE | INCOMPLETE).notes(STORE_NOTES).found_by(destination),
            KeySpec::keyword("STOREDIST", 6, OW | UPDATE | INCOMPLETE)
                .notes(STOREDIST_NOTES)
                .found_by(nothing_more),
        ])
        .flags(WRITE | DENYOOM | MOVABLEKEYS)
        .acl(acl::GEO)
        .group("geo")
        .since("3.2.0")
        .summary("Returns or stores the members within a distance of a position.")
        .complexity("O(N+log(M)), N: members in the cells around the shape, M: members of the index")
        .history(&[
            ("6.2.0", "Added the `ANY` option for `COUNT`."),
            ("7.0.0", "Added support for uppercase unit names."),
        ])
        .deprecated("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument")
        .syntax(
            "key:key longitude:double latitude:double radius:double unit(m=M|km=KM|ft=FT|mi=MI) \
             withcoord=WITHCOORD? withdist=WITHDIST? withhash=WITHHASH? count-block{COUNT@count:integer \
             any=ANY?^6.2.0}? order(asc=ASC|desc=DESC)? \
             store(STORE@storekey/key:key#1|STOREDIST@storedistkey/key:key#2)?",
        ),
    Command::new("GEORADIUS_RO", georadius_ro)
        .arity(-6)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .acl(acl::GEO)
        .group("geo")
        .since("3.2.10")
        .summary("Returns the members within a distance of a position.")
        .complexity("O(N+log(M)), N: members in the cells around the shape, M: members of the index")
        .history(&[
            ("6.2.0", "Added the `ANY` option for `COUNT`."),
            ("7.0.0", "Added support for uppercase unit names."),
        ])
        .deprecated("6.2.0", "`GEOSEARCH` with the `BYRADIUS` argument")
        .syntax(
            "key:key longitude:double latitude:double radius:double unit(m=M|km=KM|ft=FT|mi=MI) \
             withcoord=WITHCOORD? withdist=WITHDIST? withhash=WITHHASH? count-block{COUNT@count:integer \
             any=ANY?^6.2.0}? order(asc=ASC|desc=DESC)?",
        ),
    Command::new("GEORADIUSBYMEMBER", georadiusbymember)
        .arity(-5)
        .keys(&[
            KeySpec::at(1, RO | ACCESS),
            KeySpec::keyword("STORE", 5, OW | UPDATE | INCOMPLETE).notes(STORE_NOTES).found_by(destination),
            KeySpec::keyword("STOREDIST", 5, OW | UPDATE | INCOMPLETE)
                .notes(STOREDIST_NOTES)
                .found_by(nothing_more),
        ])
        .flags(WRITE | DENYOOM | MOVABLEKEYS)
        .acl(acl::GEO)
        .group("geo")
        .since("3.2.0")
        .summary("Returns or stores the members within a distance of another member.")
        .complexity("O(N+log(M)), N: members in the cells around the shape, M: members of the index")
        .history(&[
            ("6.2.0", "Added the `ANY` option for `COUNT`."),
            ("7.0.0", "Added support for uppercase unit names."),
        ])
        .deprecated(
            "6.2.0",
            "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
        )
        .syntax(
            "key:key member:string radius:double unit(m=M|km=KM|ft=FT|mi=MI) withcoord=WITHCOORD? \
             withdist=WITHDIST? withhash=WITHHASH? count-block{COUNT@count:integer any=ANY?}? \
             order(asc=ASC|desc=DESC)? store(STORE@storekey/key:key#1|STOREDIST@storedistkey/key:key#2)?",
        ),
    Command::new("GEORADIUSBYMEMBER_RO", georadiusbymember_ro)
        .arity(-5)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .acl(acl::GEO)
        .group("geo")
        .since("3.2.10")
        .summary("Returns the members within a distance of another member.")
        .complexity("O(N+log(M)), N: members in the cells around the shape, M: members of the index")
        .history(&[
            ("6.2.0", "Added the `ANY` option for `COUNT`."),
            ("7.0.0", "Added support for uppercase unit names."),
        ])
        .deprecated("6.2.0", "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments")
        .syntax(
            "key:key member:string radius:double unit(m=M|km=KM|ft=FT|mi=MI) withcoord=WITHCOORD? \
             withdist=WITHDIST? withhash=WITHHASH? count-block{COUNT@count:integer any=ANY?}? \
             order(asc=ASC|desc=DESC)?",
        ),
    Command::new("GEOSEARCH", geosearch)
        .arity(-7)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .acl(acl::GEO)
        .group("geo")
        .since("6.2.0")
        .summary("Returns the members within a circle or box.")
        .complexity("O(N+log(M)), N: members in the cells around the shape, M: members of the index")
        .history(&[("7.0.0", "Added support for uppercase unit names.")])
        .syntax(
            "key:key from(FROMMEMBER@member:string|FROMLONLAT@fromlonlat{longitude:double \
             latitude:double}) by(circle{BYRADIUS@radius:double \
             unit(m=M|km=KM|ft=FT|mi=MI)}|box{BYBOX@width:double height:double \
             unit(m=M|km=KM|ft=FT|mi=MI)}) order(asc=ASC|desc=DESC)? count-block{COUNT@count:integer \
             any=ANY?}? withcoord=WITHCOORD? withdist=WITHDIST? withhash=WITHHASH?",
        ),
    Command::new("GEOSEARCHSTORE", geosearchstore)
        .arity(-8)
        .keys(&[KeySpec::at(1, OW | UPDATE), KeySpec::at(2, RO | ACCESS)])
        .flags(WRITE | DENYOOM)
        .acl(acl::GEO)
        .group("geo")
        .since("6.2.0")
        .summary("Stores the members within a circle or box.")
        .complexity("O(N+log(M)), N: members in the cells around the shape, M: members of the index")
        .history(&[("7.0.0", "Added support for uppercase unit names.")])
        .syntax(
            "destination:key source:key#1 \
             from(FROMMEMBER@member:string|FROMLONLAT@fromlonlat{longitude:double latitude:double}) \
             by(circle{BYRADIUS@radius:double unit(m=M|km=KM|ft=FT|mi=MI)}|box{BYBOX@width:double \
             height:double unit(m=M|km=KM|ft=FT|mi=MI)}) order(asc=ASC|desc=DESC)? \
             count-block{COUNT@count:integer any=ANY?}? storedist=STOREDIST?",
        ),
];

/// The key behind the last STORE or STOREDIST, which is the one that counts, as Redis finds it.
fn destination(args: &Args<'_>) -> Range<usize> {
    let (mut found, mut index) = (0..0, 5);
    while index + 1 < args.len() {
        if args.is(index, "STORE") || args.is(index, "STOREDIST") {
            index += 1;
            found = index..index + 1;
        }
        index += 1;
    }
    found
}

/// [`destination`] has found it already.
fn nothing_more(_: &Args<'_>) -> Range<usize> {
    0..0
}

/// Which command it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// GEORADIUS; `store`: not the read-only one.
    Radius {
        store: bool,
    },
    RadiusByMember {
        store: bool,
    },
    Search,
    SearchStore,
}

impl Form {
    fn is_search(self) -> bool {
        matches!(self, Self::Search | Self::SearchStore)
    }

    fn takes_store(self) -> bool {
        matches!(self, Self::Radius { store: true } | Self::RadiusByMember { store: true })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Ascending,
    Descending,
}

/// What the arguments ask for. `centre` is `None` without an error only if the key does not exist.
#[derive(Default)]
struct Query {
    centre: Option<Point>,
    /// FROMMEMBER and FROMLONLAT have been seen.
    from_member: bool,
    from_position: bool,
    extent: Option<(Extent, Unit)>,
    with_distance: bool,
    with_hash: bool,
    with_position: bool,
    count: Option<usize>,
    any: bool,
    order: Option<Order>,
    /// Index of the key to store under.
    store: Option<usize>,
    store_distance: bool,
}

/// GEORADIUS key longitude latitude radius M | KM | FT | MI [option …]
fn georadius(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    run(cx, args, Form::Radius { store: true }, out)
}

/// GEORADIUS_RO key longitude latitude radius M | KM | FT | MI [option …]
fn georadius_ro(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    run(cx, args, Form::Radius { store: false }, out)
}

/// GEORADIUSBYMEMBER key member radius M | KM | FT | MI [option …]
fn georadiusbymember(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    run(cx, args, Form::RadiusByMember { store: true }, out)
}

/// GEORADIUSBYMEMBER_RO key member radius M | KM | FT | MI [option …]
fn georadiusbymember_ro(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    run(cx, args, Form::RadiusByMember { store: false }, out)
}

/// GEOSEARCH key FROMMEMBER member | FROMLONLAT longitude latitude BYRADIUS radius unit | BYBOX width height unit
/// [ASC | DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]
fn geosearch(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    run(cx, args, Form::Search, out)
}

/// GEOSEARCHSTORE destination source FROMMEMBER member | FROMLONLAT longitude latitude BYRADIUS radius unit | BYBOX
/// width height unit [ASC | DESC] [COUNT count [ANY]] [STOREDIST]
fn geosearchstore(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    run(cx, args, Form::SearchStore, out)
}

impl Query {
    fn parse(args: Args<'_>, form: Form, zset: Option<&ZSet>) -> Result<Self, Error> {
        let mut query = Self::default();
        let first = match form {
            Form::Radius { .. } => {
                query.centre = Some(position(args, 2)?);
                query.extent = Some(circle(args, 4)?);
                6
            }
            Form::RadiusByMember { .. } => {
                // Without a key the rest up to the options is not even looked at.
                if let Some(zset) = zset {
                    query.centre = Some(member_position(zset, &args[2])?);
                    query.extent = Some(circle(args, 3)?);
                }
                5
            }
            Form::Search => 2,
            Form::SearchStore => {
                query.store = Some(1);
                3
            }
        };
        let mut index = first;
        while index < args.len() {
            index += query.option(args, index, form, zset)?;
        }
        query.check(args, form)?;
        Ok(query)
    }

    /// Reads the option at `index`; how many arguments it takes.
    fn option(
        &mut self,
        args: Args<'_>,
        index: usize,
        form: Form,
        zset: Option<&ZSet>,
    ) -> Result<usize, Error> {
        let is = |word| args.is(index, word);
        let behind = args.len() - index - 1;
        if is("WITHDIST") {
            self.with_distance = true;
        } else if is("WITHHASH") {
            self.with_hash = true;
        } else if is("WITHCOORD") {
            self.with_position = true;
        } else if is("ANY") {
            self.any = true;
        } else if is("ASC") {
            self.order = Some(Order::Ascending);
        } else if is("DESC") {
            self.order = Some(Order::Descending);
        } else if is("COUNT") && behind >= 1 {
            let count = args.int(index + 1)?;
            let count = usize::try_from(count).ok().filter(|&count| count > 0);
            self.count = Some(count.ok_or(Error::err("COUNT must be > 0"))?);
            return Ok(2);
        } else if (is("STORE") || is("STOREDIST")) && behind >= 1 && form.takes_store() {
            self.store = Some(index + 1);
            self.store_distance = is("STOREDIST");
            return Ok(2);
        } else if is("STOREDIST") && form == Form::SearchStore {
            self.store_distance = true;
        } else if form.is_search() {
            return self.shape(args, index, zset);
        } else {
            return Err(Error::SYNTAX);
        }
        Ok(1)
    }

    /// As [`Query::option`], for what says where to search.
    fn shape(&mut self, args: Args<'_>, index: usize, zset: Option<&ZSet>) -> Result<usize, Error> {
        let is = |word| args.is(index, word);
        let behind = args.len() - index - 1;
        let box_seen = matches!(self.extent, Some((Extent::Box { .. }, _)));
        let radius_seen = matches!(self.extent, Some((Extent::Radius(_), _)));
        if is("FROMMEMBER") && behind >= 1 && !self.from_position {
            if let Some(zset) = zset {
                self.centre = Some(member_position(zset, args.at(index + 1))?);
            }
            self.from_member = true;
            Ok(2)
        } else if is("FROMLONLAT") && behind >= 2 && !self.from_member {
            self.centre = Some(position(args, index + 1)?);
            self.from_position = true;
            Ok(3)
        } else if is("BYRADIUS") && behind >= 2 && !box_seen {
            self.extent = Some(circle(args, index + 1)?);
            Ok(3)
        } else if is("BYBOX") && behind >= 3 && !radius_seen {
            self.extent = Some(rectangle(args, index + 1)?);
            Ok(4)
        } else {
            Err(Error::SYNTAX)
        }
    }

    /// Refuses what does not go together, and what is missing.
    fn check(&self, args: Args<'_>, form: Form) -> Outcome {
        if self.store.is_some() && (self.with_distance || self.with_hash || self.with_position) {
            let who = if form == Form::SearchStore { "GEOSEARCHSTORE" } else { "STORE option in GEORADIUS" };
            let text = "is not compatible with WITHDIST, WITHHASH and WITHCOORD options";
            return Err(Error::err(format_args!("{who} {text}")));
        }
        let one_of =
            |choice: &str| Err(Error::naming(&format!("exactly one of {choice} for "), &args[0], ""));
        if form.is_search() && !(self.from_member || self.from_position) {
            return one_of("FROMMEMBER or FROMLONLAT can be specified");
        }
        if form.is_search() && self.extent.is_none() {
            return one_of("BYRADIUS and BYBOX can be specified");
        }
        if self.any && self.count.is_none() {
            return Err(Error::err("the ANY argument requires COUNT argument"));
        }
        Ok(())
    }
}

fn member_position(zset: &ZSet, member: &[u8]) -> Result<Point, Error> {
    let score = zset.score(member).ok_or(Error::err("could not decode requested zset member"))?;
    Ok(geohash::decode(score))
}

fn run(cx: &mut Cx<'_>, args: Args<'_>, form: Form, out: &mut Reply) -> Outcome {
    let source = if form == Form::SearchStore { 2 } else { 1 };
    let (limits, seed) = (cx.shard.limits.zset, cx.shard.seed.clone());
    let zset = cx.read::<ZSet>(args.key(source))?;
    let query = Query::parse(args, form, zset)?;
    let places = zset.map_or(Vec::new(), |zset| find(zset, &query));
    let Some(store_at) = query.store else {
        reply(&query, &places, out);
        return Ok(());
    };
    let longest = places.iter().map(|place| place.member.len()).max().unwrap_or(0);
    let mut made = ZSet::for_members(places.len(), longest, &limits, &seed);
    for place in &places {
        let score = if query.store_distance { place.distance } else { place.score };
        place.member.with_text(|member| made.insert(member, score, &limits, &seed));
    }
    // Of several STORE options the last one counts, which need not be the one that the key specification finds.
    cx.require_keys(std::iter::once(args[store_at].to_vec()))?;
    let event = if form.is_search() { "geosearchstore" } else { "georadiusstore" };
    store::store(cx, args.key(store_at), made, event, out);
    Ok(())
}

/// A member within the shape.
struct Place<'a> {
    member: Item<'a>,
    score: f64,
    point: Point,
    /// From the centre, in the unit of the query.
    distance: f64,
}

/// The wanted members in the wanted order.
fn find<'a>(zset: &'a ZSet, query: &Query) -> Vec<Place<'a>> {
    let (Some(centre), Some((extent, unit))) = (query.centre, query.extent) else {
        unreachable!("a query of a key that exists is complete")
    };
    let shape = Shape { centre, extent, unit };
    let enough = query.count.filter(|_| query.any).unwrap_or(usize::MAX);
    let mut places = Vec::new();
    'ranges: for &ScoreRange { min, max } in shape.score_ranges().iter() {
        let (min, max) = (ScoreBound::Inclusive(min as f64), ScoreBound::Exclusive(max as f64));
        for (member, score) in zset.range(zset.score_ranks(&zset::ScoreRange { min, max })) {
            let point = geohash::decode(score);
            let Some(distance_m) = shape.distance_if_within_m(point) else { continue };
            places.push(Place { member, score, point, distance: distance_m / unit.metres() });
            if places.len() >= enough {
                break 'ranges;
            }
        }
    }
    // The nearest ones are meant by COUNT unless any will do.
    let order = query.order.or((query.count.is_some() && !query.any).then_some(Order::Ascending));
    match order {
        Some(Order::Ascending) => places.sort_by(|a, b| a.distance.total_cmp(&b.distance)),
        Some(Order::Descending) => places.sort_by(|a, b| b.distance.total_cmp(&a.distance)),
        None => {}
    }
    places.truncate(query.count.unwrap_or(usize::MAX));
    places
}

fn reply(query: &Query, places: &[Place<'_>], out: &mut Reply) {
    let extras = [query.with_distance, query.with_hash, query.with_position];
    let extras = extras.into_iter().filter(|&wanted| wanted).count();
    out.array(places.len());
    for place in places {
        if extras > 0 {
            out.array(1 + extras);
        }
        reply_item(out, place.member);
        if query.with_distance {
            out.bulk(geohash::distance_text(place.distance).as_bytes());
        }
        if query.with_hash {
            out.int(place.score as i64);
        }
        if query.with_position {
            reply_position(out, place.point);
        }
    }
}
