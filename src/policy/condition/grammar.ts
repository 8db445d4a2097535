/** The grammar of conditions in EBNF (ISO/IEC 14977); the documentation prints it. */
export const conditionGrammar = String.raw`condition  = or ;
or         = and , { "||" , and } ;
and        = not , { "&&" , not } ;
not        = "!" , not | relation ;
relation   = operand , [ comparison , operand | "in" , collection | "has" , string ] ;
comparison = "==" | "!=" | "<" | "<=" | ">" | ">=" ;
collection = "[" , [ literal , { "," , literal } ] , "]" | "cidr" , "(" , string , ")" ;
operand    = literal | attribute | "has" , "(" , attribute , ")" | "(" , condition , ")" ;
attribute  = ( "src" | "dst" ) , "." , ( "id" | "zone" | "target" | "labels" , [ "[" , string , "]" ] )
           | "req" , "." , ( "method" | "route" | "authority" )
           | "net" , "." , ( "port" | "ip" ) ;
literal    = string | integer | "true" | "false" | "instant" , "(" , string , ")" ;
integer    = [ "-" ] , digit , { digit } ;
string     = '"' , { character | '\"' | '\\' } , '"' ;
`
