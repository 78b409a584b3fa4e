//! A query that has been read against a definition, ready to be asked of a shard's index.

use super::arguments::GlobalFilter;
use super::load::Manner;
use super::options::QueryOptions;
use super::settings::QuerySettings;
use super::words::{bad_arguments, shown};
use crate::families::search::profile::meter::Profiling;
use crate::indexes::ShardIndex;
use crate::indexes::definition::Definition;
use crate::{Cx, Error, ShardCx};
use search::evaluate::{Evaluation, Options, Order, Scorer, Statistics, matched_terms};
use search::query::{Dialect, Expansion, Kind, Node, ask_suffixes, expand, parse};
use search::schema::{FieldMask, Kind as FieldKind, Schema};
use search::text::Language;
use search::vectors::Parts;
use search::{DocumentId, DocumentSet};
use std::sync::Arc;

/// What is asked.
#[derive(Debug)]
pub struct Question {
    pub definition: Arc<Definition>,
    pub node: Node,
    /// The vector parts of the query.
    pub parts: Arc<Parts>,
    pub settings: QuerySettings,
    pub scorer: Scorer,
    pub dialect: Dialect,
    pub language: Language,
    pub slop: Option<i64>,
    pub in_order: bool,
    pub explains: bool,
    /// INKEYS.
    pub in_keys: Option<Vec<Vec<u8>>>,
    pub timeout_ms: u64,
    pub expands: bool,
    /// FT.PROFILE.
    pub profiling: Option<Profiling>,
}

impl Question {
    /// Reads a query.
    ///
    /// # Errors
    /// No such index, or a query that cannot be read, in RediSearch's words.
    pub fn new(
        cx: &mut Cx<'_>,
        index: &[u8],
        query: &[u8],
        options: &QueryOptions,
        filters: &[(Vec<u8>, GlobalFilter)],
    ) -> Result<Self, Error> {
        let node = Self::node(cx, index, query, options)?;
        let schema = Arc::clone(&cx.shard.index(index)?.definition.schema);
        let dialect = options.dialect.unwrap_or(QuerySettings::of(cx.shard).dialect);
        let node = filtered(node, &schema, filters, dialect)?;
        Self::of_node(cx, index, node, options)
    }

    /// Reads the text of a query.
    ///
    /// # Errors
    /// As [`Question::new`].
    pub fn node(cx: &mut Cx<'_>, index: &[u8], query: &[u8], options: &QueryOptions) -> Result<Node, Error> {
        let settings = QuerySettings::of(cx.shard);
        let of = cx.shard.index(index)?;
        let schema = &of.definition.schema;
        let dialect = options.dialect.unwrap_or(settings.dialect);
        let keeps = options.keeps_stop_words;
        let mut node = parse(query, dialect, schema, &options.parameters, !keeps).map_err(Error::search)?;
        if let Some(fields) = &options.in_fields {
            node.restrict(mask_of(schema, fields));
        }
        ask_suffixes(&mut node, schema).map_err(Error::search)?;
        let has_order = options.slop.is_some() || options.in_order;
        check_order(&node, &of.definition, has_order)?;
        if !options.verbatim {
            let language = options.language.unwrap_or(schema.language);
            let expansion =
                Expansion { language, stem_letters_min: settings.stem_letters_min, synonyms: &of.synonyms };
            expand(&mut node, schema, &expansion);
            options.expander.keep(&mut node);
        }
        Ok(node)
    }

    /// A question whose query has been read.
    ///
    /// # Errors
    /// As [`Question::new`].
    pub fn of_node(cx: &mut Cx<'_>, index: &[u8], node: Node, options: &QueryOptions) -> Result<Self, Error> {
        let settings = QuerySettings::of(cx.shard);
        let definition = Arc::clone(&cx.shard.index(index)?.definition);
        let schema = &definition.schema;
        let dialect = options.dialect.unwrap_or(settings.dialect);
        let language = options.language.unwrap_or(schema.language);
        // What is nearest is looked for among what the filters let pass, so they come first.
        let parts = Parts::read(&node, schema, options.in_keys.is_some()).map_err(Error::search)?;
        let (tanh_factor, payload) =
            (options.tanh_factor.unwrap_or(settings.tanh_factor), options.payload.as_deref());
        let scorer = match &options.scorer {
            None => Scorer::parse(settings.scorer.as_bytes(), tanh_factor, payload).unwrap_or_default(),
            Some(name) => Scorer::parse(name, tanh_factor, payload)
                .ok_or_else(|| Error::text(format!("SEARCH_QUERY_BAD No such scorer {}", shown(name))))?,
        };
        check_format(options.expands, cx.resp3, dialect, schema)?;
        Ok(Self {
            node,
            parts,
            settings,
            scorer,
            dialect,
            language,
            slop: options.slop,
            in_order: options.in_order,
            explains: options.explains,
            in_keys: options.in_keys.clone(),
            timeout_ms: options.timeout_ms.unwrap_or(settings.timeout_ms),
            expands: options.expands,
            profiling: None,
            definition,
        })
    }

    /// How documents are shown.
    pub fn manner(&self) -> Manner<'_> {
        Manner { dialect: self.dialect, expands: self.expands, schema: &self.definition.schema }
    }

    /// The index it is asked of, as it is now.
    ///
    /// # Errors
    /// It has been dropped since.
    pub fn index<'a>(&self, cx: &'a mut ShardCx) -> Result<&'a mut ShardIndex, Error> {
        index_of(&self.definition, cx)
    }

    /// How it is evaluated.
    pub fn options(&self, order: Order, wanted: usize) -> Options {
        Options {
            settings: self.settings.words,
            scorer: self.scorer.clone(),
            slop: self.slop,
            in_order: self.in_order,
            explains: self.explains,
            order,
            wanted,
            clock: self.profiling.map(|profiling| profiling.clock),
            ..Options::default()
        }
    }

    /// Begins to find documents on a shard.
    ///
    /// # Errors
    /// The index has been dropped since.
    pub fn evaluation(
        &self,
        cx: &mut ShardCx,
        statistics: Statistics,
        options: Options,
    ) -> Result<Evaluation, Error> {
        let index = self.index(cx)?;
        let options = Options { among: self.among(index), ..options };
        Ok(Evaluation::new(&self.node, &index.index, statistics, options))
    }

    /// Which words of the query a document of a shard has.
    ///
    /// # Errors
    /// The index has been dropped since.
    pub fn matched_terms(&self, cx: &mut ShardCx, id: DocumentId) -> Result<Vec<Vec<u8>>, Error> {
        Ok(matched_terms(&self.node, &self.index(cx)?.index, id))
    }

    /// INKEYS on a shard.
    pub fn among(&self, index: &ShardIndex) -> Option<DocumentSet> {
        let keys = self.in_keys.as_ref()?;
        Some(keys.iter().filter_map(|key| index.documents.id_of(key)).collect())
    }

    /// Whether a shard can find its documents without knowing what others have: no word stands for others, and no vector is to be near.
    pub fn is_local(&self) -> bool {
        self.parts.is_empty() && !has_expansions(&self.node)
    }

    /// Adds what another shard knows of it.
    pub fn merge_statistics(&self, all: Vec<Statistics>) -> Statistics {
        let mut all = all.into_iter();
        let mut sum = all.next().unwrap_or_default();
        all.for_each(|one| sum.merge(one, &self.settings.words));
        sum
    }
}

/// The index with a definition, as it is now.
///
/// # Errors
/// It has been dropped since.
pub fn index_of<'a>(definition: &Definition, cx: &'a mut ShardCx) -> Result<&'a mut ShardIndex, Error> {
    let index = cx.index(&definition.name).ok().filter(|index| index.definition.number == definition.number);
    index.ok_or_else(|| {
        Error::text("SEARCH_INDEX_DROPPED_BG The index was dropped before the query could be executed")
    })
}

/// Whether a part of a query stands for words that only an index knows.
fn has_expansions(node: &Node) -> bool {
    matches!(node.kind, Kind::Affix(_) | Kind::Wildcard(_) | Kind::Fuzzy { .. })
        || node.children().iter().any(has_expansions)
}

/// Distances and order mean nothing among texts that a path of JSON finds in any order.
fn check_order(node: &Node, definition: &Definition, has_order: bool) -> Result<(), Error> {
    let without = definition.unordered_texts();
    if without == 0 { Ok(()) } else { check_order_of(node, definition, without, has_order) }
}

fn check_order_of(
    node: &Node,
    definition: &Definition,
    without: FieldMask,
    has_order: bool,
) -> Result<(), Error> {
    let attributes = &node.attributes;
    let asks = has_order || attributes.slop.is_some() || attributes.in_order.is_some();
    let is_words =
        matches!(node.kind, Kind::Intersection(_) | Kind::Union(_) | Kind::Term(_) | Kind::Exact(_));
    if asks && is_words && node.fields & without != 0 {
        let asked =
            definition.schema.text_fields().find(|(_, bit, ..)| without & node.fields & (1 << bit) != 0);
        let name = asked.map(|(_, _, field, _)| shown(&field.name)).unwrap_or_default();
        let text = "slop/inorder are not supported for field with undefined ordering";
        return Err(Error::text(format!("SEARCH_ORDER_OPTION_BAD {text} `{name}`")));
    }
    node.children().iter().try_for_each(|child| check_order_of(child, definition, without, has_order))
}

/// INFIELDS: TEXT fields by name; others are passed over.
fn mask_of(schema: &Schema, names: &[Vec<u8>]) -> FieldMask {
    schema.mask(|field, _| names.contains(&field.name))
}

/// The query among what FILTER and GEOFILTER let pass.
fn filtered(
    node: Node,
    schema: &Schema,
    filters: &[(Vec<u8>, GlobalFilter)],
    dialect: Dialect,
) -> Result<Node, Error> {
    let mut node = node;
    for (name, filter) in filters {
        let field = schema.field(name);
        let kind = field.map(|field| &schema.fields[usize::from(field)].kind);
        node = node.narrow(Node::new(match (field, kind, filter) {
            (Some(field), Some(FieldKind::Numeric), GlobalFilter::Numeric(range)) => {
                Kind::Numeric { field, range: *range }
            }
            (Some(field), Some(FieldKind::Geo), GlobalFilter::Geo(circle)) => {
                Kind::Geo { field, circle: *circle }
            }
            // As a query of the dialect does: in the first nothing is found in a field that there is not.
            _ if dialect == Dialect::One => Kind::Empty,
            (None, ..) => {
                return Err(Error::text(format!("SEARCH_SYNTAX Unknown Field '{}'", shown(name))));
            }
            (Some(_), _, filter) => {
                let wanted = if matches!(filter, GlobalFilter::Numeric(_)) { "NUMERIC" } else { "GEO" };
                return Err(Error::text(format!(
                    "SEARCH_SYNTAX Expected a {wanted} field '{}'",
                    shown(name)
                )));
            }
        }));
    }
    Ok(node)
}

fn check_format(expands: bool, resp3: bool, dialect: Dialect, schema: &Schema) -> Result<(), Error> {
    let why = if !expands {
        return Ok(());
    } else if !resp3 {
        "EXPAND format is only supported with RESP3"
    } else if schema.on != search::schema::DocumentKind::Json {
        "EXPAND format is only supported with JSON"
    } else if dialect < Dialect::Three {
        "EXPAND format requires dialect 3 or greater"
    } else {
        return Ok(());
    };
    Err(bad_arguments(why))
}
