//! FT.SEARCH on a shard: its arguments held against the definition.

use super::arguments::{Highlight, SearchArguments, Summarize};
use super::load::{Manner, Selection, Wanted};
use super::question::Question;
use super::settings::QuerySettings;
use super::words::{bad_arguments, shown};
use crate::families::search::profile::meter::Profiling;
use crate::{Args, Cx, Error};
use search::evaluate::Order;
use search::schema::{DocumentKind, Kind, Schema};
use std::sync::Arc;

/// A search, the same on all shards.
#[derive(Debug)]
pub struct Request {
    pub question: Arc<Question>,
    pub sorting: SortSource,
    pub selection: Selection,
    pub no_content: bool,
    pub with_scores: bool,
    pub with_payloads: bool,
    pub with_sort_keys: bool,
    pub highlight: Option<Highlight>,
    pub summarize: Option<Summarize>,
    /// First and count.
    pub limit: (usize, usize),
}

/// By what results are ordered.
#[derive(Debug)]
pub enum SortSource {
    /// By something that the index has.
    Index(Order),
    /// By a field that is not SORTABLE: it is read from all documents that are found.
    Loaded { wanted: Wanted, descending: bool },
}

/// HIGHLIGHT and SUMMARIZE name fields of the schema, or of RETURN.
fn check_dressed(given: &SearchArguments, schema: &Schema) -> Result<(), Error> {
    let highlighted = given.highlight.iter().flat_map(|highlight| &highlight.fields);
    let summarized = given.summarize.iter().flat_map(|summarize| &summarize.fields);
    for name in highlighted.chain(summarized).flatten() {
        let is_returned = given.fields.iter().flatten().any(|field| field.name == *name);
        if schema.field(name).is_none() && !is_returned {
            return Err(Error::text(format!("SEARCH_PROP_NOT_FOUND No such property `{}`", shown(name))));
        }
    }
    Ok(())
}

/// Whether HIGHLIGHT or SUMMARIZE change what is shown under that name.
fn changes(given: &SearchArguments, schema: &Schema, name: &[u8]) -> bool {
    let field = schema.field(name).map(|number| &schema.fields[usize::from(number)].kind);
    let names = |fields: &Option<Vec<Vec<u8>>>| {
        fields.as_ref().is_none_or(|fields| fields.iter().any(|field| field == name))
    };
    matches!(field, Some(Kind::Text(_)))
        && (given.highlight.as_ref().is_some_and(|highlight| names(&highlight.fields))
            || given.summarize.as_ref().is_some_and(|summarize| names(&summarize.fields)))
}

/// What HIGHLIGHT and SUMMARIZE change of JSON documents is named by RETURN, and one text each.
fn check_dressed_json(given: &SearchArguments, schema: &Schema) -> Result<(), Error> {
    let returned = given.fields.as_deref().unwrap_or_default();
    if returned.is_empty() {
        let text = "HIGHLIGHT/SUMMARIZE on JSON indexes requires RETURN with explicit field names";
        return Err(bad_arguments(text));
    }
    let highlighted = given.highlight.iter().map(|highlight| &highlight.fields);
    let summarized = given.summarize.iter().map(|summarize| &summarize.fields);
    let lists: Vec<_> = highlighted.chain(summarized).collect();
    for field in returned {
        let of_schema = schema.field(&field.path).map(|number| &schema.fields[usize::from(number)]);
        let changes = lists.iter().any(|names| match names {
            Some(names) => names.contains(&field.name),
            None => of_schema.is_none_or(|field| matches!(field.kind, Kind::Text(_))),
        });
        let path = json::path::Query::parse(of_schema.map_or(&field.path, |field| &field.path));
        if changes && path.is_ok_and(|path| path.picks().is_none()) {
            let text = "HIGHLIGHT/SUMMARIZE is not supported for JSON fields with multi-value JSONPath";
            return Err(bad_arguments(text));
        }
    }
    Ok(())
}

impl Request {
    /// Reads the arguments from the query on, the third.
    ///
    /// # Errors
    /// In RediSearch's words.
    pub fn new(
        cx: &mut Cx<'_>,
        index: &[u8],
        args: Args<'_>,
        profiling: Option<Profiling>,
    ) -> Result<Self, Error> {
        let settings = QuerySettings::of(cx.shard);
        // That there is no such index comes before all else.
        cx.shard.index(index)?;
        let given = SearchArguments::parse(args, settings.results_max)?;
        let mut question = Question::new(cx, index, &given.query, &given.options, &given.filters)?;
        question.profiling = profiling.map(Profiling::parsed);
        cx.shard.count_dialect(index, question.dialect);
        let definition = &question.definition;
        let schema = &definition.schema;
        let sorting = match &given.sort_by {
            None => SortSource::Index(Order::Score),
            Some(sort_by) => {
                let descending = sort_by.descending;
                match schema.field(&sort_by.field) {
                    Some(field) if schema.fields[usize::from(field)].sortable.is_some() => {
                        SortSource::Index(Order::Field { field, descending })
                    }
                    Some(_) => {
                        let wanted = Wanted::new(definition, &sort_by.field, &sort_by.field);
                        SortSource::Loaded { wanted, descending }
                    }
                    None if let Some(part) = question.parts.position(&sort_by.field) => {
                        SortSource::Index(Order::Distance { part, descending })
                    }
                    None => {
                        let name = shown(&sort_by.field);
                        return Err(Error::text(format!(
                            "SEARCH_PROP_NOT_FOUND Property `{name}` not loaded nor in schema"
                        )));
                    }
                }
            }
        };
        let dresses = given.highlight.is_some() || given.summarize.is_some();
        if dresses && schema.on == DocumentKind::Json {
            check_dressed_json(&given, schema)?;
        }
        check_dressed(&given, schema)?;
        let economies = schema.economies;
        if dresses && (economies.no_highlighting || economies.no_offsets) {
            let word = if economies.no_offsets { "NOOFFSETS" } else { "NOHL" };
            let text = "SEARCH_INVAL Cannot use highlight/summarize because";
            return Err(Error::text(format!("{text} {word} was specified at index level")));
        }
        let sorted_by = given.sort_by.as_ref().map(|sort_by| sort_by.field.as_slice());
        let mut selection = Selection::new(definition, given.fields.as_deref(), sorted_by, &question.parts);
        if dresses && schema.on == DocumentKind::Json {
            selection.show_texts(|name| changes(&given, schema, name));
        }
        Ok(Self {
            sorting,
            selection,
            no_content: given.no_content,
            with_scores: given.options.with_scores,
            with_payloads: given.with_payloads,
            with_sort_keys: given.with_sort_keys,
            highlight: given.highlight,
            summarize: given.summarize,
            limit: given.limit,
            question: Arc::new(question),
        })
    }

    /// The order of results when they are put together.
    pub fn order(&self) -> Order {
        match self.sorting {
            SortSource::Index(order) => order,
            SortSource::Loaded { descending, .. } => Order::Field { field: 0, descending },
        }
    }

    /// How many of the first results are wanted.
    pub fn wanted(&self) -> usize {
        if self.limit.1 == 0 { 0 } else { self.limit.0.saturating_add(self.limit.1) }
    }

    pub fn manner(&self) -> Manner<'_> {
        self.question.manner()
    }
}
