//! FT.HYBRID on a shard: its arguments held against the definition.

use super::arguments::HybridArguments;
use super::fusion::Combine;
use super::subqueries::{VectorPart, VectorWish};
use crate::families::search::aggregate::request::Known;
use crate::families::search::aggregate::rows::Columns;
use crate::families::search::aggregate::steps::Step;
use crate::families::search::profile::meter::Profiling;
use crate::families::search::query::options::QueryOptions;
use crate::families::search::query::question::Question;
use crate::families::search::query::settings::QuerySettings;
use crate::families::search::query::words::shown;
use crate::indexes::definition::Definition;
use crate::{Args, Cx, Error};
use search::query::{Dialect, Kind, Nearest, Node, Parameters, Within};
use search::schema::{Kind as FieldKind, Metric};
use std::sync::Arc;

/// What the key and the score are called.
pub const KEY: &[u8] = b"__key";
const SCORE: &[u8] = b"__score";
/// What a vector's distance is called on its way; no result shows it.
const DISTANCE: &[u8] = b"__vsim_distance";

/// A hybrid search, the same on all shards.
#[derive(Debug)]
pub struct Request {
    pub search: Arc<Question>,
    pub vector: Arc<Question>,
    pub metric: Metric,
    /// How many documents of each are wanted.
    pub wanted: (usize, usize),
    pub combine: Combine,
    /// What scores are called in rows: of words, of the vector, of both.
    pub search_name: Option<Vec<u8>>,
    pub vector_name: Option<Vec<u8>>,
    pub score_name: Vec<u8>,
    pub columns: Columns,
    pub steps: Vec<Step>,
    /// NOSORT: rows need not be in the order of scores.
    pub keeps_order: bool,
    /// When the command came (monotonic ns).
    pub begun_ns: u64,
}

impl Request {
    /// Reads the arguments from the third on.
    ///
    /// # Errors
    /// In RediSearch's words.
    pub fn new(
        cx: &mut Cx<'_>,
        index: &[u8],
        args: Args<'_>,
        profiling: Option<Profiling>,
    ) -> Result<Self, Error> {
        let begun_ns = (cx.shard.platform.clock_ns)();
        let settings = QuerySettings::of(cx.shard);
        let definition = Arc::clone(&cx.shard.index(index)?.definition);
        let given = HybridArguments::parse(args, &settings)?;
        // Vectors are not known to the first dialect.
        let options = QueryOptions {
            scorer: given.search.scorer.clone(),
            parameters: given.parameters.clone(),
            timeout_ms: given.timeout_ms,
            dialect: Some(settings.dialect.max(Dialect::Two)),
            ..QueryOptions::default()
        };
        let mut node = Question::node(cx, index, &given.search.query, &options)?;
        leave_tags_unscored(&mut node);
        let mut search = Question::of_node(cx, index, node, &options)?;
        if !search.parts.is_empty() {
            return Err(not_allowed("VECTOR", "Vector expressions", "SEARCH"));
        }
        let (node, metric) = vector_node(cx, index, &definition, &given.vector, &options)?;
        let mut vector = Question::of_node(cx, index, node, &options)?;
        let profiling = profiling.map(Profiling::parsed);
        (search.profiling, vector.profiling) = (profiling, profiling);
        let score_name = given.combine.score_name.clone().unwrap_or_else(|| SCORE.to_vec());
        let names = [&given.search.score_name, &given.vector.score_name];
        let names: Vec<Vec<u8>> = names.into_iter().flatten().cloned().collect();
        let mut known = Known::new(&search, vec![KEY.to_vec(), score_name.clone()]);
        if given.loads.is_empty() {
            known.give(KEY);
            known.give(&score_name);
        } else if given.combine.score_name.is_some() {
            known.give(&score_name);
        }
        names.iter().for_each(|name| known.give(name));
        known.follow(&given.loads, &given.steps)?;
        let columns = known.into_columns();
        cx.shard.count_dialect(index, search.dialect);
        let window = given.combine.window;
        let wanted = match given.vector.wish {
            VectorWish::Nearest { k } => (window, window.min(k)),
            VectorWish::Within { .. } => (window, window),
        };
        Ok(Self {
            search: Arc::new(search),
            vector: Arc::new(vector),
            metric,
            wanted,
            combine: given.combine,
            search_name: given.search.score_name,
            vector_name: given.vector.score_name,
            score_name,
            columns,
            steps: given.steps,
            keeps_order: given.keeps_order,
            begun_ns,
        })
    }
}

/// Tags decide what is found, but unlike in FT.SEARCH they say nothing of how well it fits.
fn leave_tags_unscored(node: &mut Node) {
    if let Kind::Tag { values, .. } = &mut node.kind {
        values.iter_mut().for_each(|value| value.attributes.weight = Some(0.0));
        node.attributes.weight = Some(0.0);
        return;
    }
    node.children_mut().iter_mut().for_each(leave_tags_unscored);
}

fn not_allowed(code: &str, what: &str, place: &str) -> Error {
    Error::text(format!("SEARCH_{code}_NOT_ALLOWED {what} are not allowed in FT.HYBRID {place}"))
}

/// The query that VSIM stands for, and the measure of its field.
fn vector_node(
    cx: &mut Cx<'_>,
    index: &[u8],
    definition: &Definition,
    part: &VectorPart,
    options: &QueryOptions,
) -> Result<(Node, Metric), Error> {
    let syntax = |text: String| Error::text(format!("SEARCH_SYNTAX {text}"));
    let schema = &definition.schema;
    let name = shown(&part.field);
    let field = schema.field(&part.field).ok_or_else(|| syntax(format!("Unknown field `{name}`")))?;
    let FieldKind::Vector(of) = &schema.fields[usize::from(field)].kind else {
        return Err(syntax(format!("Expected a VECTOR field: `{name}`")));
    };
    let vector = parameter(&options.parameters, &part.parameter)?.into();
    let filter = match &part.filter {
        None => Node::new(Kind::All),
        Some(filter) => {
            let filter = Question::node(cx, index, filter, options)?;
            if has(&filter, &|node| matches!(node.kind, Kind::Nearest { .. } | Kind::Within(_))) {
                return Err(not_allowed("VECTOR", "Vector expressions", "VSIM FILTER"));
            }
            if has(&filter, &|node| node.attributes.weight.is_some()) {
                return Err(not_allowed("WEIGHT", "Weight attributes", "VSIM FILTER"));
            }
            filter
        }
    };
    let (parameter, options) = (part.parameter.clone(), part.options.clone());
    let node = match part.wish {
        VectorWish::Nearest { k } => {
            let distance_name = DISTANCE.to_vec();
            let nearest = Nearest { field, k, vector, parameter, options, distance_name, is_named: true };
            Node::new(Kind::Nearest { nearest, filter: Box::new(filter) })
        }
        VectorWish::Within { radius } => {
            let distance_name = Some(DISTANCE.to_vec());
            let within =
                Node::new(Kind::Within(Within { field, radius, vector, parameter, options, distance_name }));
            if filter.kind == Kind::All { within } else { within.narrow(filter) }
        }
    };
    Ok((node, of.metric))
}

fn parameter(parameters: &Parameters, name: &[u8]) -> Result<Vec<u8>, Error> {
    Ok(parameters.get(name).map_err(Error::search)?.to_vec())
}

fn has(node: &Node, is_such: &dyn Fn(&Node) -> bool) -> bool {
    is_such(node) || node.children().iter().any(|child| has(child, is_such))
}
