// What a user may type into a command's option: its suggestions, and what is wrong with a text.

export const KIND = { TEXT: 3, WHOLE: 4, BOOLEAN: 5, USER: 6, CHANNEL: 7, ROLE: 8, MENTIONABLE: 9, NUMBER: 10, FILE: 11 };

const TYPE_NAMES = { 3: "text", 4: "whole number", 5: "true or false", 6: "user", 7: "channel", 8: "role", 9: "user or role", 10: "number", 11: "file" };
const LONGEST = 6000;
const BOOLEANS = [{ name: "True", value: true }, { name: "False", value: false }];

/** The type of an option in a user's words, with its bounds. */
export function typeName(option) {
  const { min_value: low, max_value: high } = option;
  const bounds = low !== undefined && high !== undefined ? `, ${low} to ${high}`
    : low !== undefined ? `, at least ${low}` : high !== undefined ? `, at most ${high}` : "";
  return TYPE_NAMES[option.type] + bounds;
}

/** The fixed list to choose from, or null where the user types freely. */
export function choicesOf(option) {
  if (option.type === KIND.BOOLEAN) return BOOLEANS;
  return option.choices ?? option.candidates ?? null;
}

/** Those of a list that fit what is typed; beginnings come first. */
export function matching(list, typed, nameOf = (item) => item.name) {
  const wanted = typed.trim().toLowerCase();
  const ranked = list.map((item, index) => [rank(nameOf(item).toLowerCase(), wanted), index, item]);
  return ranked.filter(([place]) => place < 3).sort((one, other) => one[0] - other[0] || one[1] - other[1]).map(([, , item]) => item);
}

function rank(name, wanted) {
  if (name.startsWith(wanted)) return 0;
  if (name.split(/[\s_@#-]/).some((word) => word.startsWith(wanted))) return 1;
  return name.includes(wanted) ? 2 : 3;
}

/** Read a text as the option's value: `{ value }`, `{ problem }`, or neither where nothing is given. */
export function read(option, text) {
  if (text.trim() === "") return option.required ? { problem: "This option is required. Specify a value." } : {};
  const choices = choicesOf(option);
  if (choices) {
    const wanted = text.trim().toLowerCase();
    const found = choices.find((choice) => [choice.name, choice.value].some((one) => String(one).toLowerCase() === wanted));
    return found ? { value: found.value } : { problem: "Pick one of the choices." };
  }
  if (option.type === KIND.WHOLE || option.type === KIND.NUMBER) return number(option, text.trim());
  if (option.type === KIND.FILE) return { problem: "Choose a file." };
  return words(option, text);
}

function number(option, text) {
  const whole = option.type === KIND.WHOLE;
  const value = Number(text.replace(/^\+/, ""));
  const fits = whole ? Number.isSafeInteger(value) : Number.isFinite(value);
  const low = option.min_value ?? -(2 ** 53);
  const high = option.max_value ?? 2 ** 53;
  if (!fits || !/^[+-]?(\d|\.\d)[\d.eE+-]*$/.test(text)) return { problem: `Enter a ${whole ? "whole number" : "number"}.` };
  if (value < low || value > high) return { problem: `Enter a ${typeName(option)}.` };
  return { value };
}

function words(option, text) {
  const least = option.min_length ?? 0;
  const most = option.max_length ?? LONGEST;
  if (text.length < least) return { problem: `Enter at least ${least} characters.` };
  if (text.length > most) return { problem: `Enter at most ${most} characters.` };
  return { value: text };
}

/** Split "days: 30 symbol: BTC/USDT" into the options that it names. */
export function parse(command, text) {
  const names = command.options.map((option) => option.name);
  const found = [...text.matchAll(/(?:^|\s)([\w'-]+):\s?/g)].filter((match) => names.includes(match[1]));
  return found.map((match, index) => {
    const end = found[index + 1]?.index ?? text.length;
    return [match[1], text.slice(match.index + match[0].length, end).trim()];
  });
}
