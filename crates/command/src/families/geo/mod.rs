//! Positions on the globe: sorted sets whose scores are geohashes. What a position, a distance and a shape are is in
//! `types::geohash`.

mod arguments;
mod position;
mod search;

use crate::Command;
use crate::spec::{KeySpec, access::*, acl, flag::*};

pub const COMMANDS: &[Command] = &[
    Command::new("GEOADD", position::geoadd)
        .arity(-5)
        .keys(&[KeySpec::at(1, RW | UPDATE)])
        .flags(WRITE | DENYOOM)
        .acl(acl::GEO)
        .group("geo")
        .since("3.2.0")
        .summary("Adds members with their positions, or moves them.")
        .complexity("O(log(N)) for each member, N: members of the index")
        .history(&[("6.2.0", "Added the `CH`, `NX` and `XX` options.")])
        .syntax(
            "key:key condition(nx=NX|xx=XX)?^6.2.0 change=CH?^6.2.0 data{longitude:double latitude:double \
             member:string}*",
        ),
    Command::new("GEODIST", position::geodist)
        .arity(-4)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .acl(acl::GEO)
        .group("geo")
        .since("3.2.0")
        .summary("Returns the distance between two members.")
        .complexity("O(1)")
        .syntax("key:key member1:string member2:string unit(m=M|km=KM|ft=FT|mi=MI)?"),
    Command::new("GEOHASH", position::geohash)
        .arity(-2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .acl(acl::GEO)
        .group("geo")
        .since("3.2.0")
        .summary("Returns the geohash texts of members.")
        .complexity("O(1) for each member")
        .syntax("key:key member:string?*"),
    Command::new("GEOPOS", position::geopos)
        .arity(-2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .acl(acl::GEO)
        .group("geo")
        .since("3.2.0")
        .summary("Returns the longitudes and latitudes of members.")
        .complexity("O(1) for each member")
        .syntax("key:key member:string?*"),
    Command::new("GEORADIUS", search::georadius)
        .arity(-6)
        .keys(&[
            KeySpec::at(1, RO | ACCESS),
            KeySpec::keyword("STORE", 6, OW | UPDATE),
            KeySpec::keyword("STOREDIST", 6, OW | UPDATE),
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
    Command::new("GEORADIUS_RO", search::georadius_ro)
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
    Command::new("GEORADIUSBYMEMBER", search::georadiusbymember)
        .arity(-5)
        .keys(&[
            KeySpec::at(1, RO | ACCESS),
            KeySpec::keyword("STORE", 5, OW | UPDATE),
            KeySpec::keyword("STOREDIST", 5, OW | UPDATE),
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
    Command::new("GEORADIUSBYMEMBER_RO", search::georadiusbymember_ro)
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
    Command::new("GEOSEARCH", search::geosearch)
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
    Command::new("GEOSEARCHSTORE", search::geosearchstore)
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
