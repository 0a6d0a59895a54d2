// The inputs of a form, made from the fields of a request's body.

import { h, inline } from "./dom.js";
import { invalidValues } from "./errors.js";
import { choicesOf, localTime } from "./filters.js";

/**
 * Return the inputs of fields: `elements` to show, `read()` for the values of the body, and `mark(error)`, which shows
 * what a response says about single values. With `values`, only fields that were changed are read.
 */
export function inputsOf(fields, values) {
  const rows = fields.map((field) => row(field, values));
  const read = () => {
    const changed = rows.filter(({ field, input, before }) => {
      const isNew = values === undefined;
      return input.value !== before || (isNew && (field.required || before !== ""));
    });
    return Object.fromEntries(changed.map(({ field, input }) => [field.name, parsed(field, input.value)]));
  };
  const mark = (error) => {
    const named = new Set(invalidValues(error).map(({ name }) => name.split(".")[0]));
    for (const { field, input } of rows) input.setAttribute("aria-invalid", String(named.has(field.name)));
  };
  return { elements: rows.map(({ element }) => element), first: rows[0]?.input, read, mark };
}

function row(field, values) {
  const value = values === undefined ? field.default : values[field.name];
  const input = inputOf(field, text(field, value));
  input.id = `input-${field.name}`;
  const hint = field.description && h("p", { class: "hint", id: `${input.id}-hint` }, inline(field.description));
  if (hint) input.setAttribute("aria-describedby", hint.id);
  const label = h("label", { for: input.id }, field.title, field.required && " *");
  const element = h("div", { class: "field" }, label, input, hint);
  return { field, input, element, before: input.value };
}

function inputOf(field, value) {
  const { name } = field;
  const required = field.required && !field.nullable && field.kind !== "text";
  const limits = { min: field.minimum, max: field.maximum, maxlength: field.max_length };
  const select = (choices) => {
    const none = (!field.required || field.nullable || value === "") && h("option", { value: "" }, "—");
    return h("select", { name, required, value }, none, choices.map(([each, shown]) => h("option", { value: each }, shown)));
  };
  switch (field.kind) {
    case "boolean":
      return select([["true", "Yes"], ["false", "No"]]);
    case "choice":
      return select(choicesOf(field));
    case "integer":
    case "number":
      return h("input", { name, type: "number", required, step: "any", value, ...limits });
    case "datetime":
      return h("input", { name, type: "datetime-local", step: "1", required, value });
    case "date":
      return h("input", { name, type: "date", required, value });
    case "long_text":
      return h("textarea", { name, required, rows: 4, value, ...limits });
    case "json":
      return h("textarea", { name, required, rows: 6, spellcheck: "false", class: "code", value });
    default:
      return h("input", { name, type: "text", value, required, ...limits });
  }
}

/** Return what the input of a value shows. */
function text(field, value) {
  if (value === null || value === undefined) return "";
  if (field.kind === "json") return JSON.stringify(value, null, 2);
  return field.kind === "datetime" ? localTime(value) : String(value);
}

/** Return the value of the body for the text of an input. Throws an error that says what is wrong with the text. */
function parsed(field, value) {
  if (value === "" && field.nullable) return null;
  switch (field.kind) {
    case "boolean":
      return value === "" ? null : value === "true";
    case "integer":
    case "number":
      return value === "" ? null : Number(value);
    case "choice":
      return field.choices.find((each) => String(each) === value) ?? null;
    case "datetime":
      return value === "" ? null : new Date(value).toISOString();
    case "json":
      return json(field, value);
    default:
      return value;
  }
}

function json(field, value) {
  try {
    return value.trim() === "" ? null : JSON.parse(value);
  } catch {
    throw new Error(`${field.title} must be JSON, such as ["a", "b"] or {"key": 1}.`);
  }
}
