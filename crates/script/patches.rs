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
#define weft_iswhole(n)\t((n) > -1e14 && (n) < 1e14 && ((n) > 0 || (n) < 0) && (double)(long long)(n) == (n))
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
    patch(
        "lstate.h",
        "freed small blocks wait for the next that need them, and what a run has made is told from what was there before",
        "  TString *tmname[TM_N];  /* array with tag-method names */",
        "  TString *tmname[TM_N];  /* array with tag-method names */
  void *weft_blocks[WEFT_CLASSES];  /* freed blocks of each size, linked by their first bytes */
  lu_byte weft_counts[WEFT_CLASSES];
  lu_byte weft_young;  /* whether all that has been made since weft_root was the newest object is known */
  GCObject *weft_root;
  int weft_texts_len;
  TString *weft_texts[WEFT_TEXTS_MAX];  /* the strings made since */
  TString *weft_keys, *weft_argv;  /* names of the globals that each run sets */",
    ),
    patch(
        "lstate.h",
        "the sizes of these",
        "#define lstate_h",
        "#define lstate_h
#define WEFT_CLASS_BYTES 16
#define WEFT_CLASSES 20
#define WEFT_BLOCKS_MAX 64  /* that wait of each size */
#define WEFT_TEXTS_MAX 512",
    ),
    patch(
        "lstate.c",
        "and how they begin",
        "  g->gcdept = 0;",
        "  g->gcdept = 0;
  memset(g->weft_blocks, 0, sizeof(g->weft_blocks));
  memset(g->weft_counts, 0, sizeof(g->weft_counts));
  g->weft_young = 0;
  g->weft_keys = g->weft_argv = NULL;",
    ),
    patch("lstate.c", "for memset", "#include <stddef.h>", "#include <stddef.h>\n#include <string.h>"),
    patch(
        "lstate.c",
        "blocks that wait are given back at the end",
        "  freestack(L, L);
  lua_assert(g->totalbytes == sizeof(LG));",
        "  freestack(L, L);
  weft_freeblocks(g);
  lua_assert(g->totalbytes == sizeof(LG));",
    ),
    patch(
        "lmem.h",
        "as above",
        "#define MEMERRMSG",
        "struct global_State;
LUAI_FUNC void weft_freeblocks (struct global_State *g);
#define MEMERRMSG",
    ),
    patch(
        "lmem.c",
        "small blocks are taken from those that wait, and left there",
        "  lua_assert((osize == 0) == (block == NULL));
  block = (*g->frealloc)(g->ud, block, osize, nsize);",
        "  lua_assert((osize == 0) == (block == NULL));
  if (osize == 0 && weft_issmall(nsize)) {
    size_t class = weft_class(nsize);
    void *waiting = g->weft_blocks[class];
    if (waiting != NULL) {
      g->weft_blocks[class] = *(void **)waiting;
      g->weft_counts[class]--;
      g->totalbytes += nsize;
      return waiting;
    }
  }
  else if (nsize == 0 && weft_issmall(osize)) {
    size_t class = weft_class(osize);
    if (g->weft_counts[class] < WEFT_BLOCKS_MAX) {
      *(void **)block = g->weft_blocks[class];
      g->weft_blocks[class] = block;
      g->weft_counts[class]++;
      g->totalbytes -= osize;
      return NULL;
    }
  }
  block = (*g->frealloc)(g->ud, block, weft_rounded(osize), weft_rounded(nsize));",
    ),
    patch(
        "lmem.c",
        "sizes of small blocks; all of a class are as large as its largest",
        "#define MINSIZEARRAY	4",
        "#define MINSIZEARRAY	4

#define weft_issmall(n)	((n) - 1 < (size_t)WEFT_CLASSES * WEFT_CLASS_BYTES)
#define weft_class(n)	(((n) - 1) / WEFT_CLASS_BYTES)
#define weft_rounded(n)	(weft_issmall(n) ? (weft_class(n) + 1) * WEFT_CLASS_BYTES : (n))

void weft_freeblocks (global_State *g) {
  size_t class;
  for (class = 0; class < WEFT_CLASSES; class++) {
    void *block = g->weft_blocks[class];
    while (block != NULL) {
      void *next = *(void **)block;
      (*g->frealloc)(g->ud, block, (class + 1) * WEFT_CLASS_BYTES, 0);
      block = next;
    }
    g->weft_blocks[class] = NULL;
    g->weft_counts[class] = 0;
  }
}",
    ),
    patch(
        "lstring.c",
        "the strings that a run makes are noted",
        "  tb->nuse++;
  if",
        "  tb->nuse++;
  if (G(L)->weft_young) {
    global_State *g = G(L);
    if (g->weft_texts_len < WEFT_TEXTS_MAX) g->weft_texts[g->weft_texts_len++] = ts;
    else g->weft_young = 0;
  }
  if",
    ),
    patch(
        "lstring.c",
        "userdata stand in a list of their own",
        "  u->uv.env = e;",
        "  u->uv.env = e;
  G(L)->weft_young = 0;",
    ),
    patch(
        "lstate.c",
        "threads are left to the collector",
        "  lua_assert(iswhite(obj2gco(L1)));",
        "  G(L)->weft_young = 0;
  lua_assert(iswhite(obj2gco(L1)));",
    ),
    patch(
        "lgc.c",
        "once the collector is at work, everything is left to it",
        "  g->gray = NULL;
  g->grayagain = NULL;
  g->weak = NULL;
  markobject(g, g->mainthread);",
        "  g->weft_young = 0;
  g->gray = NULL;
  g->grayagain = NULL;
  g->weak = NULL;
  markobject(g, g->mainthread);",
    ),
    patch(
        "lvm.c",
        "the hook counts jumps back, and calls, instead of instructions",
        "    if ((L->hookmask & (LUA_MASKLINE | LUA_MASKCOUNT)) &&
        (--L->hookcount == 0 || L->hookmask & LUA_MASKLINE)) {
      traceexec(L, pc);
      if (L->status == LUA_YIELD) {  /* did hook yield? */
        L->savedpc = pc - 1;
        return;
      }
      base = L->base;
    }
",
        "",
    ),
    patch(
        "lvm.c",
        "jumps back",
        "#define dojump(L,pc,i)	{(pc) += (i); luai_threadyield(L);}",
        "#define weft_tick(L,at)	{ \\
  if ((L->hookmask & LUA_MASKCOUNT) && --L->hookcount == 0) { traceexec(L, at); base = L->base; } }
#define dojump(L,pc,by)	{ int weft_by = (by); \\
  if (weft_by < 0) { weft_tick(L, pc); ra = RA(i); } \\
  (pc) += weft_by; luai_threadyield(L); }",
    ),
    patch(
        "lvm.c",
        "calls (hooks expect that the counter stands behind an instruction)",
        "  k = cl->p->k;
  /* main loop of interpreter */",
        "  k = cl->p->k;
  weft_tick(L, pc + 1);
  /* main loop of interpreter */",
    ),
    patch(
        "lvm.c",
        "there are no other instructions: code is never loaded",
        "    switch (GET_OPCODE(i)) {
      case OP_MOVE: {",
        "    switch (GET_OPCODE(i)) {
      default: __builtin_unreachable();
      case OP_MOVE: {",
    ),
    patch(
        "lbaselib.c",
        "tonumber reads a text once",
        "    if (lua_isnumber(L, 1)) {
      lua_pushnumber(L, lua_tonumber(L, 1));
      return 1;
    }",
        "    lua_Number number;
    if (weft_tonumber(L, 1, &number)) {
      lua_pushnumber(L, number);
      return 1;
    }",
    ),
    patch(
        "lua.h",
        "as above",
        "LUA_API int             (lua_isnumber) (lua_State *L, int idx);",
        "LUA_API int             (lua_isnumber) (lua_State *L, int idx);
LUA_API int weft_tonumber (lua_State *L, int idx, lua_Number *number);",
    ),
    patch(
        "lvm.c",
        "fields that are there are found without a call",
        "void luaV_gettable (lua_State *L, const TValue *t, TValue *key, StkId val) {",
        "static inline const TValue *weft_getstr (const Table *t, const TString *key) {
  const Node *n = gnode(t, lmod(key->tsv.hash, sizenode(t)));
  do {
    if (ttisstring(gkey(n)) && rawtsvalue(gkey(n)) == key) return gval(n);
    n = gnext(n);
  } while (n);
  return luaO_nilobject;
}

static inline const TValue *weft_get (const Table *t, const TValue *key) {
  if (ttisstring(key)) return weft_getstr(t, rawtsvalue(key));
  if (ttisnumber(key)) {
    int k;
    lua_number2int(k, nvalue(key));
    if (luai_numeq(cast_num(k), nvalue(key)) && cast(unsigned int, k) - 1u < cast(unsigned int, t->sizearray))
      return &t->array[k - 1];
  }
  return luaO_nilobject;
}

void luaV_gettable (lua_State *L, const TValue *t, TValue *key, StkId val) {",
    ),
    patch(
        "lvm.c",
        "globals",
        "        TValue *rb = KBx(i);
        sethvalue(L, &g, cl->env);",
        "        TValue *rb = KBx(i);
        const TValue *found = weft_getstr(cl->env, rawtsvalue(rb));
        if (!ttisnil(found)) {
          setobj2s(L, ra, found);
          continue;
        }
        sethvalue(L, &g, cl->env);",
    ),
    patch(
        "lvm.c",
        "and fields",
        "        Protect(luaV_gettable(L, RB(i), RKC(i), ra));",
        "        TValue *rb = RB(i);
        TValue *rc = RKC(i);
        if (ttistable(rb)) {
          const TValue *found = weft_get(hvalue(rb), rc);
          if (!ttisnil(found)) {
            setobj2s(L, ra, found);
            continue;
          }
        }
        Protect(luaV_gettable(L, rb, rc, ra));",
    ),
];

/// Functions added to a file.
pub const APPENDED: &[(&str, &str)] = &[
    (
        "lapi.c",
        "
/* Whether a value is a number, or a text that is one; which. */
LUA_API int weft_tonumber (lua_State *L, int idx, lua_Number *number) {
  TValue n;
  const TValue *o = index2adr(L, idx);
  if (!tonumber(o, &n)) return 0;
  *number = nvalue(o);
  return 1;
}

/* Writes the arguments of the running C function one after the other to `out`, and where each ends to `ends`. Gives the bytes
** written; -1 if there is a value among them that is neither a text nor a number that is easily written, or if there is not
** enough room for all. */
LUA_API long weft_arguments (lua_State *L, char *out, size_t room, unsigned *ends) {
  const TValue *o;
  size_t at = 0;
  for (o = L->base; o < L->top; o++) {
    if (ttisstring(o)) {
      size_t len = tsvalue(o)->len;
      if (len > room - at) return -1;
      memcpy(out + at, svalue(o), len);
      at += len;
    }
    else if (!ttisnumber(o) || room - at < 20) return -1;
    else if (weft_iswhole(nvalue(o))) at += (size_t)weft_number2str(out + at, nvalue(o));
    else if (nvalue(o) == 0 && 1 / nvalue(o) > 0) out[at++] = '0';
    else return -1;
    *ends++ = (unsigned)at;
  }
  return (long)at;
}

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

/* Names the globals that weft_setkeys sets: they are there, and the two strings on top of the stack. */
LUA_API void weft_namekeys (lua_State *L) {
  global_State *g = G(L);
  g->weft_keys = rawtsvalue(L->top - 2);
  g->weft_argv = rawtsvalue(L->top - 1);
  api_check(L, luaH_getstr(hvalue(gt(g->mainthread)), g->weft_keys) != luaO_nilobject);
  api_check(L, luaH_getstr(hvalue(gt(g->mainthread)), g->weft_argv) != luaO_nilobject);
  L->top -= 2;
}

/* Takes the two values on top of the stack, which are not nil (else the collector takes the names away), as KEYS and ARGV. */
LUA_API void weft_setkeys (lua_State *L) {
  global_State *g = G(L);
  Table *globals = hvalue(gt(g->mainthread));
  setobj2t(L, cast(TValue *, luaH_getstr(globals, g->weft_keys)), L->top - 2);
  luaC_barriert(L, globals, L->top - 2);
  setobj2t(L, cast(TValue *, luaH_getstr(globals, g->weft_argv)), L->top - 1);
  luaC_barriert(L, globals, L->top - 1);
  L->top -= 2;
}

/* Sets an element of the table on top of the stack, which was made for so many. */
LUA_API void weft_settext (lua_State *L, int n, const char *text, size_t len) {
  TString *ts = luaS_newlstr(L, text, len);
  Table *t = hvalue(L->top - 1);
  TValue *place = &t->array[n - 1];
  api_check(L, n > 0 && n <= t->sizearray);
  setsvalue2n(L, place, ts);
  luaC_barriert(L, t, place);
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
        "lgc.c",
        "
/* A run begins. What is made from now on is known, until weft_endrun frees it or weft_keep leaves it to the collector. */
LUA_API void weft_beginrun (lua_State *L) {
  global_State *g = G(L);
  g->weft_young = (g->gcstate == GCSpause);
  g->weft_root = g->rootgc;
  g->weft_texts_len = 0;
}

LUA_API void weft_keep (lua_State *L) {
  G(L)->weft_young = 0;
}

#if defined(LUA_USE_APICHECK)
static void weft_whiten (global_State *g, GCObject *o) {
  for (; o != NULL; o = o->gch.next) {
    if (o->gch.tt == LUA_TTHREAD) weft_whiten(g, gco2th(o)->openupval);
    makewhite(g, o);
  }
}

/* Whether the collector, too, would find that nothing refers to what is about to be freed. */
static void weft_checkyoung (lua_State *L) {
  global_State *g = G(L);
  GCObject *o;
  int i;
  markroot(L);
  propagateall(g);
  remarkupvals(g);
  propagateall(g);
  g->gray = g->grayagain;
  g->grayagain = NULL;
  propagateall(g);
  for (o = g->rootgc; o != g->weft_root; o = o->gch.next) api_check(L, iswhite(o));
  for (i = 0; i < g->weft_texts_len; i++) api_check(L, iswhite(obj2gco(g->weft_texts[i])));
  weft_whiten(g, g->rootgc);
  for (i = 0; i < g->strt.size; i++) weft_whiten(g, g->strt.hash[i]);
  g->gray = g->grayagain = g->weak = NULL;
  g->gcstate = GCSpause;
}
#else
#define weft_checkyoung(L)
#endif

/* A run is over, and nothing refers to what it made: all older tables are read-only, nothing older has upvalues that can be
** set, its results have been taken. So all of it is freed, unless the collector has begun to look (then it does that). */
LUA_API void weft_endrun (lua_State *L) {
  global_State *g = G(L);
  int i;
  if (!g->weft_young) return;
  weft_checkyoung(L);
  g->weft_young = 0;
  while (g->rootgc != g->weft_root) {
    GCObject *o = g->rootgc;
    g->rootgc = o->gch.next;
    freeobj(L, o);
  }
  for (i = 0; i < g->weft_texts_len; i++) {
    TString *ts = g->weft_texts[i];
    GCObject **p = &g->strt.hash[lmod(ts->tsv.hash, g->strt.size)];
    while (*p != obj2gco(ts)) p = &(*p)->gch.next;
    *p = ts->tsv.next;
    freeobj(L, obj2gco(ts));
  }
}
",
    ),
    (
        "lobject.c",
        "
/* As sprintf with LUA_NUMBER_FMT. Integers of up to fourteen digits are the usual case. */
LUA_API int weft_number2str (char *s, double n) {
  if (weft_iswhole(n)) {
    static const char pairs[] =
      \"0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\"
      \"5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899\";
    char digits[32] = {0};
    char *at = digits + 16;
    int sign = n < 0, len;
    unsigned long long rest = (unsigned long long)(sign ? -n : n);
    for (; rest >= 100; rest /= 100) memcpy(at -= 2, pairs + 2 * (rest % 100), 2);
    if (rest >= 10) memcpy(at -= 2, pairs + 2 * rest, 2);
    else *--at = (char)('0' + rest);
    len = (int)(digits + 16 - at);
    if (sign) *s = '-';
    memcpy(s + sign, at, 16);  /* with zeros behind the digits */
    return sign + len;
  }
  return sprintf(s, LUA_NUMBER_FMT, n);
}

/* As strtod. Texts of up to fifteen digits, with nothing behind, are the usual case. */
LUA_API double weft_str2number (const char *s, char **end) {
  const char *at = s;
  long long whole = 0;
  const char *last = s + 15;
  while (at < last) {
    unsigned digit = (unsigned)*at - '0';
    if (digit > 9) break;
    whole = whole * 10 + digit;
    at++;
  }
  if (at > s && *at == 0) {
    *end = (char *)at;
    return (double)whole;
  }
  return strtod(s, end);
}
",
    ),
];
