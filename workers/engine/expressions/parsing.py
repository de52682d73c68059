"""Reads the text of a mapping expression: sqlglot parses it, an allow-list lets pass what is total.

Functions reach the allow-list under the name that was written, since sqlglot's own function classes are switched
off: they would let spellings of other dialects pass.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, ClassVar, NoReturn, cast

from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import ParseError, TokenError
from sqlglot.parsers.postgres import PostgresParser
from sqlglot.tokenizer_core import Token, TokenType

from workers.engine.errors import ExpressionRefused
from workers.engine.expressions.expression import Expression
from workers.engine.expressions.functions import ALIASES, FUNCTIONS, REASONS, Argument, Function
from workers.engine.expressions.nodes import (
    AsText,
    Call,
    Case,
    ColumnValue,
    Comparison,
    Constant,
    IsNull,
    Junction,
    Kind,
    Node,
    Not,
    Sum,
)

LONGEST_EXPRESSION = 4_000  # characters: far beyond any mapping that a person reviews, short enough to parse at once
DEEPEST_NESTING = 20  # open brackets: sqlglot takes about 24 Python frames for each, and Python allows 1,000
DEEPEST_TREE = 100  # links of one chain such as a || b || c
LARGEST_NUMBER = 1_000_000  # an offset into a text; keeps every sum of a few of them within 32 bits
INT32 = (-(2**31), 2**31 - 1)

SPECIAL_SYNTAX = ("CAST", "POSITION", "SUBSTRING", "TRIM")
"""Functions whose arguments are not all separated by commas."""


class MappingDialect(Postgres):
    class Tokenizer(Postgres.Tokenizer):
        COMMANDS: ClassVar[Any] = frozenset()

    class Parser(PostgresParser):
        FUNCTIONS: ClassVar[Any] = {}
        NO_PAREN_FUNCTIONS: ClassVar[Any] = {}
        STATEMENT_PARSERS: ClassVar[Any] = {}
        FUNCTION_PARSERS: ClassVar[Any] = {name: PostgresParser.FUNCTION_PARSERS[name] for name in SPECIAL_SYNTAX}


FORBIDDEN_TOKENS: dict[TokenType, str] = {
    TokenType.SEMICOLON: "One expression is expected, not several statements.",
    TokenType.SELECT: "A sub-select is not allowed: a mapping sees one row.",
    TokenType.STAR: "`*` is not allowed.",
    TokenType.MOD: "`%` is not allowed.",
    TokenType.COLON: "A parameter is not allowed.",
    TokenType.PARAMETER: "A parameter is not allowed.",
    TokenType.PLACEHOLDER: "A parameter is not allowed.",
    TokenType.OVER: "A window function is not allowed: a mapping sees one row.",
    TokenType.FILTER: "FILTER is not allowed: a mapping sees one row.",
}

COMPARISONS: dict[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}

WORDS: dict[Kind, str] = {"text": "a text", "int": "a number", "bool": "a condition"}


def parse(text: str, *, columns: Collection[str], field: str = "") -> Expression:
    """Return the expression that `text` says over these columns, all of them text.

    Raises ExpressionRefused for anything else, with the position of the offending part; never another error.
    """
    return _Parser(text, columns, field).parse()


class _Parser:
    def __init__(self, text: str, columns: Collection[str], field: str) -> None:
        self.text = text
        self.columns = columns
        self.field = field
        self.used: set[str] = set()

    def refuse(self, fact: str, remedy: str = "", *, at: exp.Expr | int | None = 0) -> NoReturn:
        position = _start(at) if isinstance(at, exp.Expr) else at
        raise ExpressionRefused(fact, remedy=remedy, field=self.field, position=position) from None

    def parse(self) -> Expression:
        self._check_characters()
        tokens = self._tokens()
        self._check_tokens(tokens)
        root = self.node(self._tree(tokens))
        return Expression(self.text, frozenset(self.used), root)

    # From text to sqlglot's tree.

    def _check_characters(self) -> None:
        if not self.text.strip():
            self.refuse("The expression is empty.", "Write one, such as split_part(name, ' ', 1).")
        if len(self.text) > LONGEST_EXPRESSION:
            self.refuse(
                f"The expression has more than {LONGEST_EXPRESSION:,} characters.", "Shorten it.", at=LONGEST_EXPRESSION
            )
        for position, character in enumerate(self.text):
            if character == "\0" or "\ud800" <= character <= "\udfff":
                self.refuse("A character that no database can store is in it.", "Remove it.", at=position)

    def _tokens(self) -> list[Token]:
        try:
            return MappingDialect().tokenize(self.text)
        except (TokenError, RecursionError):
            self.refuse("A quote or a comment is not closed.", "Close it.", at=None)

    def _check_tokens(self, tokens: Sequence[Token]) -> None:
        depth, end = 0, 0
        for token in tokens:
            self._check_gap(end, token.start)
            end = token.end + 1
            if token.token_type in FORBIDDEN_TOKENS:
                self.refuse(
                    FORBIDDEN_TOKENS[token.token_type], "Write one expression over the columns.", at=token.start
                )
            if token.token_type in (TokenType.L_PAREN, TokenType.CASE):
                depth += 1
            elif token.token_type in (TokenType.R_PAREN, TokenType.END):
                depth -= 1
            if depth > DEEPEST_NESTING:
                self.refuse(
                    f"It is nested more than {DEEPEST_NESTING} levels deep.", "Write it flatter.", at=token.start
                )
        self._check_gap(end, len(self.text))

    def _check_gap(self, start: int, end: int) -> None:
        """Between two tokens stand blanks, or else a comment."""
        gap = self.text[start:end]
        if gap.strip():
            self.refuse("A comment is not allowed.", "Remove it.", at=start + len(gap) - len(gap.lstrip()))

    def _tree(self, tokens: Sequence[Token]) -> exp.Expr:
        try:
            trees = MappingDialect().parser().parse(list(tokens), self.text)
        except ParseError as error:
            self.refuse("It is not one SQL expression.", "Mend it here.", at=_where(error, tokens))
        except RecursionError:
            self.refuse("It is nested too deeply.", "Write it flatter.", at=None)
        if len(trees) != 1 or trees[0] is None:
            self.refuse("It is not one SQL expression.", "Write exactly one.")
        if _depth(trees[0]) > DEEPEST_TREE:
            self.refuse(f"It chains more than {DEEPEST_TREE} parts.", "Shorten it.", at=trees[0])
        return trees[0]

    # From sqlglot's tree to our nodes: what has no case here is refused.

    def node(self, tree: exp.Expr) -> Node:
        match tree:
            case exp.Paren():
                return self.node(tree.this)
            case exp.Literal():
                return self.literal(tree)
            case exp.Null():
                return Constant(None)
            case exp.Neg(this=exp.Literal(is_string=False)):
                value = self.literal(tree.this).value
                return Constant(-value) if isinstance(value, int) else Constant(value)
            case exp.Column():
                return self.column(tree)
            case exp.DPipe():
                return self.call("||", [tree.this, tree.expression], tree)
            case exp.Anonymous():
                return self.call(self.function_name(tree), tree.expressions, tree)
            case exp.StrPosition():
                return self.call("strpos", [tree.this, tree.args["substr"]], tree)
            case exp.Substring():
                return self.call("substr", [tree.this, *_given(tree, "start", "length")], tree)
            case exp.Trim():
                name = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get(tree.text("position").upper(), "trim")
                return self.call(name, [tree.this, *_given(tree, "expression")], tree)
            case exp.Cast():
                return self.cast(tree)
            case exp.Case():
                return self.case(tree)
            case exp.Add() | exp.Sub():
                return self.sum(tree)
            case exp.And() | exp.Or():
                left, right = self.of_kind("bool", tree.this), self.of_kind("bool", tree.expression)
                return Junction("AND" if isinstance(tree, exp.And) else "OR", left, right)
            case exp.Not():
                return Not(self.of_kind("bool", tree.this))
            case exp.Is(expression=exp.Null()):
                return IsNull(self.node(tree.this), negated=bool(tree.args.get("negate")))
            case _ if type(tree) in COMPARISONS:
                return self.comparison(cast(exp.Binary, tree))
            case _:
                self.refuse_tree(tree)

    def of_kind(self, kind: Kind, tree: exp.Expr) -> Node:
        node = self.node(tree)
        if node.kind != kind:
            remedy = "Cast it: (…)::text." if (kind, node.kind) == ("text", "int") else ""
            self.refuse(f"Here stands {WORDS[node.kind]}, where {WORDS[kind]} is needed.", remedy, at=tree)
        return node

    def literal(self, tree: exp.Expr) -> Constant:
        if tree.is_string:
            return Constant(tree.name)
        if not (tree.name.isascii() and tree.name.isdigit()) or int(tree.name[:20]) > LARGEST_NUMBER:
            self.refuse(f"The number {tree.name[:20]} is not allowed.", f"Use 0 to {LARGEST_NUMBER:,}.", at=tree)
        return Constant(int(tree.name))

    def column(self, tree: exp.Column) -> Node:
        if len(tree.parts) != 1 or not isinstance(tree.this, exp.Identifier):
            self.refuse("A column is named without its table.", "Write the column alone.", at=tree)
        name = tree.name if tree.this.args.get("quoted") else _folded(tree.name)
        if name in self.columns:
            self.used.add(name)
            return ColumnValue(name)
        if tree.name in self.columns:
            self.refuse(
                f'The column "{name}" cannot be used here.',
                f'The column is written with its quotes: "{tree.name}".',
                at=tree,
            )
        known = ", ".join(sorted(self.columns))
        self.refuse(f'The column "{name}" cannot be used here.', f"Use: {known}.", at=tree)

    def function_name(self, tree: exp.Anonymous) -> str:
        if not isinstance(tree.this, str):
            self.refuse("A function is named without quotes.", "Remove the quotes.", at=tree)
        name = tree.name.lower()
        name = ALIASES.get(name, name)
        if name in FUNCTIONS:
            return name
        allowed = ", ".join(sorted(set(FUNCTIONS) - {"||"}))
        reason = REASONS.get(name, "")
        self.refuse(
            f"The function {name} is not in the mapping language. {reason}".strip(), f"Use: {allowed}.", at=tree
        )

    def call(self, name: str, arguments: Sequence[exp.Expr], tree: exp.Expr) -> Node:
        function = FUNCTIONS[name]
        least = len(function.takes) - function.optional
        most = len(arguments) if function.repeats else len(function.takes)
        if not least <= len(arguments) <= most:
            expected = f"{least}" if least == len(function.takes) else f"{least} to {len(function.takes)}"
            self.refuse(
                f"The function {name} takes {expected}{' or more' if function.repeats else ''} arguments.", at=tree
            )
        takes = [function.takes[min(index, len(function.takes) - 1)] for index in range(len(arguments))]
        nodes = tuple(self.argument(*pair, function) for pair in zip(takes, arguments, strict=True))
        for node, argument in zip(nodes, arguments, strict=True):
            if takes[0].kind == "any" and node.kind != nodes[0].kind:
                self.refuse(f"Here stands {WORDS[node.kind]}, where {WORDS[nodes[0].kind]} is needed.", at=argument)
        return Call(function, nodes)

    def argument(self, takes: Argument, tree: exp.Expr, function: Function) -> Node:
        node = self.node(tree) if takes.kind == "any" else self.of_kind(takes.kind, tree)
        if node.kind == "bool":
            self.refuse(f"A condition cannot be an argument of {function.name}.", at=tree)
        if takes.literal and not (isinstance(node, Constant) and node.value is not None and takes.fits(node.value)):
            self.refuse(f"The function {function.name} needs {takes.literal} here.", at=tree)
        return node

    def cast(self, tree: exp.Cast) -> Node:
        to = tree.args["to"]
        if type(tree) is not exp.Cast or to.this is not exp.DType.TEXT or to.expressions:
            self.refuse("Only a cast to text is allowed.", "Every other cast can fail on some row.", at=tree)
        operand = self.node(tree.this)
        if operand.kind == "bool":
            self.refuse("A condition cannot be cast to text.", "Use CASE WHEN … THEN … ELSE … END.", at=tree)
        return operand if operand.kind == "text" else AsText(operand)

    def case(self, tree: exp.Case) -> Node:
        branches = tuple((self.condition(tree, branch), self.node(branch.args["true"])) for branch in tree.args["ifs"])
        default = tree.args.get("default")
        node = Case(branches, self.node(default) if default is not None else None)
        for result in node.results:
            if result.kind != node.kind:
                self.refuse(
                    f"One branch of this CASE gives {WORDS[node.kind]}, another {WORDS[result.kind]}.",
                    "Let all branches give the same kind (NULL counts as text).",
                    at=tree,
                )
        return node

    def condition(self, tree: exp.Case, branch: exp.If) -> Node:
        """`CASE x WHEN y` is `CASE WHEN x = y`."""
        if tree.this is None:
            return self.of_kind("bool", branch.this)
        return self.comparison(exp.EQ(this=tree.this.copy(), expression=branch.this.copy()))

    def comparison(self, tree: exp.Binary) -> Node:
        operator = COMPARISONS[type(tree)]
        left = self.node(tree.this)
        right = self.of_kind(left.kind, tree.expression)
        if left.kind == "bool":
            self.refuse("Two conditions cannot be compared.", "Combine them with AND, OR, NOT.", at=tree)
        if left.kind == "text" and operator not in ("=", "<>"):
            self.refuse(
                "Texts are only compared with = and <>.", "Their order depends on the server's collation.", at=tree
            )
        return Comparison(operator, left, right)

    def sum(self, tree: exp.Binary) -> Node:
        left, right = self.of_kind("int", tree.this), self.of_kind("int", tree.expression)
        node = Sum("+" if isinstance(tree, exp.Add) else "-", left, right)
        low, high = node.extent()
        if low < INT32[0] or high > INT32[1]:
            self.refuse("This sum can leave the range of 32-bit numbers.", "Add fewer positions.", at=tree)
        return node

    def refuse_tree(self, tree: exp.Expr) -> NoReturn:
        if isinstance(tree, exp.Alias | exp.Tuple | exp.Concat):
            second = tree.args["alias"] if isinstance(tree, exp.Alias) else tree
            self.refuse("One expression is expected, not several.", "Join texts with ||.", at=second)
        if isinstance(tree, exp.Placeholder | exp.Parameter):
            self.refuse("A parameter is not allowed.", "Write the value itself.", at=tree)
        if isinstance(tree, exp.ByteString | exp.RawString | exp.National | exp.UnicodeString):
            self.refuse("Texts are written in plain single quotes.", "Write 'text', a quote in it doubled.", at=tree)
        self.refuse(
            f"{tree.key.upper()} is not in the mapping language.",
            f"Use columns, literals, ||, CASE, comparisons, AND, OR, NOT, and: "
            f"{', '.join(sorted(set(FUNCTIONS) - {'||'}))}.",
            at=tree,
        )


def _given(tree: exp.Expr, *names: str) -> list[exp.Expr]:
    return [tree.args[name] for name in names if tree.args.get(name) is not None]


def _folded(name: str) -> str:
    """PostgreSQL folds a name without quotes; letters beyond ASCII stay what they are in a UTF-8 database."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in name)


def _start(tree: exp.Expr) -> int | None:
    """Return where the tree begins in the text: the first of its parts that knows its place."""
    starts = [node.meta["start"] for node in tree.walk() if "start" in node.meta]
    return min(starts) if starts else None


def _where(error: ParseError, tokens: Sequence[Token]) -> int | None:
    place = (error.errors[0].get("line"), error.errors[0].get("col")) if error.errors else None
    return next((token.start for token in tokens if (token.line, token.col) == place), None)


def _depth(tree: exp.Expr) -> int:
    deepest, level = 0, [tree]
    while level:
        deepest += 1
        level = [child for node in level for child in node.iter_expressions()]
    return deepest
