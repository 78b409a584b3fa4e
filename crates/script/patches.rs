//! What Weft changes in the sources of Lua 5.1.5 (`docs/decisions/lua.md` says why of each, and which test shows it).

/// One change: a place in a file, and what stands there afterwards.
pub struct Patch {
    pub file: &'static str,
    pub why: &'static str,
    pub place: &'static str,
    pub becomes: &'static str,
    /// How often the place occurs.
    pub count: usize,
}

const fn patch(file: &'static str, why: &'static str, place: &'static str, becomes: &'static str) -> Patch {
    Patch { file, why, place, becomes, count: 1 }
}

pub const PATCHES: &[Patch] = &[
    patch(
        "lobject.h",
        "tables have a read-only mark",
        "lu_byte lsizenode;",
        "lu_byte lsizenode; lu_byte readonly;",
    ),
    patch("ltable.c", "new tables can be written", "t->lsizenode = 0;", "t->lsizenode = 0; t->readonly = 0;"),
    patch(
        "lvm.c",
        "assignments respect the mark",
        "TValue *oldval = luaH_set",
        "TValue *oldval; if (h->readonly) luaG_runerror(L, WEFT_READONLY); oldval = luaH_set",
    ),
    patch(
        "lapi.c",
        "rawset respects the mark",
        "setobj2t(L, luaH_set(L, hvalue(t), L->top-2), L->top-1);",
        "if (hvalue(t)->readonly) luaG_runerror(L, WEFT_READONLY);
  setobj2t(L, luaH_set(L, hvalue(t), L->top-2), L->top-1);",
    ),
    patch(
        "lapi.c",
        "rawseti (table.insert, table.sort, …) respects the mark",
        "setobj2t(L, luaH_setnum(L, hvalue(o), n), L->top-1);",
        "if (hvalue(o)->readonly) luaG_runerror(L, WEFT_READONLY);
  setobj2t(L, luaH_setnum(L, hvalue(o), n), L->top-1);",
    ),
    patch(
        "lapi.c",
        "setmetatable respects the mark",
        "hvalue(obj)->metatable = mt;",
        "if (hvalue(obj)->readonly) luaG_runerror(L, WEFT_READONLY);
      hvalue(obj)->metatable = mt;",
    ),
    patch(
        "ldebug.h",
        "the text of the mark",
        "#ifndef ldebug_h",
        "#define WEFT_READONLY \"Attempt to modify a readonly table\"
#ifndef ldebug_h",
    ),
    patch(
        "ldo.c",
        "precompiled chunks are not loaded: they are parsed as text, which fails",
        "((c == LUA_SIGNATURE[0]) ? luaU_undump : luaY_parser)",
        "((void)c, luaY_parser)",
    ),
    patch(
        "lparser.c",
        "CVE-2025-49844: the chunk's name is held while it is parsed",
        "luaX_setinput(L, &lexstate, z, luaS_new(L, name));",
        "TString *held = luaS_new(L, name);
  setsvalue2s(L, L->top, held);
  incr_top(L);
  luaX_setinput(L, &lexstate, z, held);",
    ),
    patch(
        "lparser.c",
        "CVE-2025-49844: and let go afterwards",
        "return funcstate.f;",
        "L->top--;
  return funcstate.f;",
    ),
    patch(
        "llex.c",
        "CVE-2025-46819: the level of a long bracket cannot overflow",
        "count++;",
        "if (++count > MAX_INT / 4) luaX_lexerror(ls, \"lexical element too long\", TK_STRING);",
    ),
    patch(
        "lbaselib.c",
        "CVE-2025-46817: the count of results cannot overflow",
        "n = e - i + 1;",
        "n = ((long long)e - (long long)i >= 2147483647LL) ? 0 : e - i + 1;",
    ),
    patch(
        "lbaselib.c",
        "xpcall has room for its first result, however many others there are",
        "status = lua_pcall(L, 0, LUA_MULTRET, 1);",
        "status = lua_pcall(L, 0, LUA_MULTRET, 1);
  luaL_checkstack(L, 1, \"too many results\");",
    ),
    patch(
        "ltable.c",
        "CVE-2025-46817: no signed overflow for the smallest index",
        "if (cast(unsigned int, key-1) < cast(unsigned int, t->sizearray))",
        "if (cast(unsigned int, key) - 1u < cast(unsigned int, t->sizearray))",
    ),
    patch(
        "lstring.c",
        "all bytes of a string count for its hash, as in Redis: the order of pairs is the same",
        "size_t step = (l>>5)+1;",
        "size_t step = 1;",
    ),
    patch(
        "luaconf.h",
        "buffers on the C stack are small, for scripts run on small stacks",
        "#define LUAL_BUFFERSIZE\t\tBUFSIZ",
        "#define LUAL_BUFFERSIZE\t\t1024",
    ),
    patch(
        "luaconf.h",
        "integers are written without printf: the same digits in a tenth of the time",
        "#define lua_number2str(s,n)\tsprintf((s), LUA_NUMBER_FMT, (n))",
        "LUA_API int weft_number2str (char *s, double n);
#define lua_number2str(s,n)\tweft_number2str((s), (n))",
    ),
    patch(
        "luaconf.h",
        "short integers are read without strtod",
        "#define lua_str2number(s,p)\tstrtod((s), (p))",
        "LUA_API double weft_str2number (const char *s, char **end);
#define lua_str2number(s,p)\tweft_str2number((s), (p))",
    ),
    patch(
        "lstrlib.c",
        "patterns are matched to a limited depth",
        "int level;  /* total",
        "int depth;
  int level;  /* total",
    ),
    Patch {
        file: "lstrlib.c",
        why: "the depth of a match begins at zero",
        place: "ms.L = L;",
        becomes: "ms.L = L; ms.depth = 0;",
        count: 3,
    },
    patch(
        "lstrlib.c",
        "each level of a match is counted",
        "static const char *match (MatchState *ms, const char *s, const char *p) {",
        "static const char *match_level (MatchState *ms, const char *s, const char *p);
static const char *match (MatchState *ms, const char *s, const char *p) {
  const char *end;
  if (ms->depth >= 1000) luaL_error(ms->L, \"pattern too complex\");
  ms->depth++;
  end = match_level(ms, s, p);
  ms->depth--;
  return end;
}
static const char *match_level (MatchState *ms, const char *s, const char *p) {",
    ),
    patch(
        "lgc.c",
        "a small heap is not looked through again for every few kilobytes of garbage",
        "#define setthreshold(g)  (g->GCthreshold = (g->estimate/100) * g->gcpause)",
        "#define setthreshold(g)  \\
  (g->GCthreshold = (g->estimate/100) * g->gcpause + (g->gcpause > 0 ? WEFT_GARBAGE_BYTES : 0))",
    ),
    patch(
        "lgc.h",
        "how much garbage may always be there",
        "#define lgc_h",
        "#define lgc_h
#define WEFT_GARBAGE_BYTES (16*1024)",
    ),
];

/// Functions added to a file.
pub const APPENDED: &[(&str, &str)] = &[
    (
        "lapi.c",
        "
/* The type of an argument of the running C function, which is there; the bytes of a string, or the value of a number. */
LUA_API int weft_argument (lua_State *L, int index, const char **text, size_t *len, double *number) {
  const TValue *o = L->base + (index - 1);
  api_check(L, index > 0 && o < L->top);
  if (ttisstring(o)) {
    *text = svalue(o);
    *len = tsvalue(o)->len;
  }
  else if (ttisnumber(o)) *number = nvalue(o);
  return ttype(o);
}

LUA_API void weft_setreadonly (lua_State *L, int index, int readonly) {
  const TValue *o = index2adr(L, index);
  api_check(L, ttistable(o));
  hvalue(o)->readonly = cast_byte(readonly);
}

LUA_API int weft_isreadonly (lua_State *L, int index) {
  const TValue *o = index2adr(L, index);
  api_check(L, ttistable(o));
  return hvalue(o)->readonly;
}
",
    ),
    (
        "lobject.c",
        "
/* As sprintf with LUA_NUMBER_FMT. Integers of up to fourteen digits are the usual case. */
LUA_API int weft_number2str (char *s, double n) {
  if (n > -1e14 && n < 1e14 && (n > 0 || n < 0)) {
    long long whole = (long long)n;
    if ((double)whole == n) {
      char digits[16];
      int len = 0, at = 0;
      unsigned long long rest = whole < 0 ? 0ULL - (unsigned long long)whole : (unsigned long long)whole;
      for (; rest > 0; rest /= 10) digits[len++] = (char)('0' + rest % 10);
      if (whole < 0) s[at++] = '-';
      while (len > 0) s[at++] = digits[--len];
      s[at] = 0;
      return at;
    }
  }
  return sprintf(s, LUA_NUMBER_FMT, n);
}

/* As strtod. Texts of up to fifteen digits, with nothing behind, are the usual case. */
LUA_API double weft_str2number (const char *s, char **end) {
  const char *at = s;
  long long whole = 0;
  while (*at >= '0' && *at <= '9' && at - s < 15) whole = whole * 10 + (*at++ - '0');
  if (at > s && *at == 0) {
    *end = (char *)at;
    return (double)whole;
  }
  return strtod(s, end);
}
",
    ),
];
