/** The hand-written types say what the generated JSON Schema says: same messages, same fields, same kinds. */

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import ts from "typescript";
import { describe, expect, it } from "vitest";

interface Schema {
  title?: string;
  type?: string;
  const?: string;
  enum?: unknown[];
  $ref?: string;
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  $defs?: Record<string, Schema>;
}

const FOLDER = fileURLToPath(new URL("../../schema/messages/", import.meta.url));
const SOURCE = fileURLToPath(new URL("../src/messages.ts", import.meta.url));
const schemas = readdirSync(FOLDER).map((file) => JSON.parse(readFileSync(FOLDER + file, "utf8")) as Schema);

const program = ts.createProgram([SOURCE], { strict: true, target: ts.ScriptTarget.ES2022, noLib: true });
const checker = program.getTypeChecker();
const interfaces = program.getSourceFile(SOURCE)!.statements.filter(ts.isInterfaceDeclaration);

function fieldsOf(declaration: ts.InterfaceDeclaration): Record<string, string> {
  const properties = checker.getPropertiesOfType(checker.getTypeAtLocation(declaration));
  return Object.fromEntries(properties.map((each) => [each.name, kindOfNode((each.valueDeclaration as ts.PropertySignature).type!)]));
}

/** string | number | boolean | array | object | any, `?` when it may be null. */
function kindOfNode(node: ts.TypeNode): string {
  if (ts.isUnionTypeNode(node)) {
    const isNull = (each: ts.TypeNode) => ts.isLiteralTypeNode(each) && each.literal.kind === ts.SyntaxKind.NullKeyword;
    const rest = node.types.filter((each) => !isNull(each));
    return kindOfNode(rest[0]!) + (rest.length < node.types.length ? "?" : "");
  }
  if (ts.isArrayTypeNode(node)) return "array";
  if (ts.isLiteralTypeNode(node) || node.kind === ts.SyntaxKind.StringKeyword) return "string";
  if (node.kind === ts.SyntaxKind.NumberKeyword) return "number";
  if (node.kind === ts.SyntaxKind.BooleanKeyword) return "boolean";
  if (node.kind === ts.SyntaxKind.UnknownKeyword) return "any";
  const alias = checker.getTypeAtLocation(node).aliasSymbol?.declarations?.[0];
  return alias && ts.isTypeAliasDeclaration(alias) ? kindOfNode(alias.type) : "object";
}

function kindOfSchema(schema: Schema): string {
  if (schema.anyOf) {
    const rest = schema.anyOf.filter((each) => each.type !== "null");
    return kindOfSchema(rest[0]!) + (rest.length < schema.anyOf.length ? "?" : "");
  }
  if (schema.enum) return "string" + (schema.enum.includes(null) ? "?" : "");
  if (schema.const !== undefined) return "string";
  if (schema.$ref) return "object";
  if (schema.type === "integer") return "number";
  return schema.type ?? "any";
}

const fieldsOfSchema = (schema: Schema) => Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, each]) => [name, kindOfSchema(each)]));

function interfaceFor(type: string): ts.InterfaceDeclaration | undefined {
  return interfaces.find((each) => each.members.some((member) => ts.isPropertySignature(member) && member.name.getText() === "type" && member.type?.getText() === `"${type}"`));
}

describe("every message of the protocol", () => {
  it.each(schemas.map((schema) => [schema.properties!["type"]!.const!, schema] as const))("%s has the fields of its schema", (type, schema) => {
    const declaration = interfaceFor(type);
    expect(declaration, `no interface for ${type}`).toBeDefined();
    expect(fieldsOf(declaration!)).toEqual(fieldsOfSchema(schema));
  });

  const values = new Map(schemas.flatMap((schema) => Object.entries(schema.$defs ?? {})).filter(([, schema]) => schema.properties));
  it.each([...values])("%s has the fields of its schema", (name, schema) => {
    const declaration = interfaces.find((each) => each.name.text === name);
    expect(declaration, `no interface ${name}`).toBeDefined();
    expect(fieldsOf(declaration!)).toEqual(fieldsOfSchema(schema));
  });

  it("and no message that the protocol does not have", () => {
    const known = new Set(schemas.map((schema) => schema.properties!["type"]!.const!));
    const ours = interfaces.flatMap((each) => each.members.flatMap((member) => (ts.isPropertySignature(member) && member.name.getText() === "type" ? [member.type!.getText().slice(1, -1)] : [])));
    expect(ours.filter((type) => !known.has(type))).toEqual([]);
  });
});
