import java.io.*;
import java.lang.reflect.*;
import java.nio.charset.StandardCharsets;
import java.util.*;

/** Calls the static methods of Student as the grader asks, and sends their results. The student may print. */
public class Main {
    public static void main(String[] words) throws IOException {
        var calls = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var answers = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
        System.setOut(System.err);
        System.setIn(InputStream.nullInputStream());
        for (String line; (line = calls.readLine()) != null;) {
            String[] parts = line.split(" ", 3);
            String text;
            try {
                text = write(call(parts[1], (List<?>) new Json(parts[2]).value()));
            } catch (InvocationTargetException error) {
                text = "!" + error.getCause();
            } catch (Throwable error) {
                text = "!" + error;
            }
            answers.print("\n" + parts[0] + " " + text.replace('\n', ' ') + "\n");
            answers.flush();
        }
    }

    private static Object call(String name, List<?> values) throws ReflectiveOperationException {
        for (Method method : Student.class.getDeclaredMethods()) {
            Type[] types = method.getGenericParameterTypes();
            if (!method.getName().equals(name) || types.length != values.size()) continue;
            Object[] args = new Object[types.length];
            for (int at = 0; at < types.length; at++) args[at] = convert(values.get(at), types[at]);
            method.setAccessible(true);
            return method.invoke(null, args);
        }
        throw new NoSuchMethodException(name + " with " + values.size() + " parameters");
    }

    /** Makes a value of JSON fit a parameter: numbers, texts, arrays, lists and maps of them. */
    private static Object convert(Object value, Type type) {
        Class<?> raw = (Class<?>) (type instanceof ParameterizedType inner ? inner.getRawType()
            : type instanceof Class<?> plain ? plain : Object.class);
        if (raw.isArray()) {
            List<?> list = (List<?>) value;
            Object array = Array.newInstance(raw.getComponentType(), list.size());
            for (int at = 0; at < list.size(); at++) Array.set(array, at, convert(list.get(at), raw.getComponentType()));
            return array;
        }
        if (value instanceof List<?> list) {
            List<Object> made = new ArrayList<>();
            for (Object one : list) made.add(convert(one, inner(type, 0)));
            return made;
        }
        if (value instanceof Map<?, ?> map) {
            Map<Object, Object> made = new LinkedHashMap<>();
            map.forEach((key, one) -> made.put(key, convert(one, inner(type, 1))));
            return made;
        }
        if (raw == char.class || raw == Character.class) return ((String) value).charAt(0);
        if (!(value instanceof Number number)) return value;
        if (raw == int.class || raw == Integer.class) return Math.toIntExact(number.longValue());
        if (raw == double.class || raw == Double.class) return number.doubleValue();
        if (raw == float.class || raw == Float.class) return number.floatValue();
        if (raw == short.class || raw == Short.class) return number.shortValue();
        if (raw == byte.class || raw == Byte.class) return number.byteValue();
        return number;
    }

    private static Type inner(Type type, int at) {
        return type instanceof ParameterizedType outer ? outer.getActualTypeArguments()[at] : Object.class;
    }

    private static String write(Object value) {
        if (value == null || value instanceof Number || value instanceof Boolean) return String.valueOf(value);
        if (value instanceof String || value instanceof Character) return quoted(value.toString());
        StringJoiner parts;
        if (value instanceof Map<?, ?> map) {
            parts = new StringJoiner(",", "{", "}");
            map.forEach((key, one) -> parts.add(quoted(String.valueOf(key)) + ":" + write(one)));
        } else if (value instanceof Iterable<?> list) {
            parts = new StringJoiner(",", "[", "]");
            list.forEach(one -> parts.add(write(one)));
        } else if (value.getClass().isArray()) {
            parts = new StringJoiner(",", "[", "]");
            for (int at = 0; at < Array.getLength(value); at++) parts.add(write(Array.get(value, at)));
        } else {
            throw new IllegalArgumentException(value.getClass().getName() + " is no plain value");
        }
        return parts.toString();
    }

    private static String quoted(String text) {
        var made = new StringBuilder("\"");
        for (char letter : text.toCharArray()) {
            if (letter < ' ' || letter == '"' || letter == '\\') made.append(String.format("\\u%04x", (int) letter));
            else made.append(letter);
        }
        return made.append('"').toString();
    }

    /** Reads a line of JSON, as the grader writes it: without blanks between values. */
    private static class Json {
        private final String text;
        private int at;

        Json(String text) {
            this.text = text;
        }

        Object value() {
            char first = text.charAt(at);
            if (first == '"') return string();
            if (first == '[') {
                List<Object> list = new ArrayList<>();
                for (at++; text.charAt(at) != ']'; skip(',')) list.add(value());
                at++;
                return list;
            }
            if (first == '{') {
                Map<String, Object> map = new LinkedHashMap<>();
                for (at++; text.charAt(at) != '}'; skip(',')) {
                    String key = string();
                    skip(':');
                    map.put(key, value());
                }
                at++;
                return map;
            }
            int begin = at;
            while (at < text.length() && ",]}".indexOf(text.charAt(at)) < 0) at++;
            String word = text.substring(begin, at);
            return switch (word) {
                case "null" -> null;
                case "true", "false" -> Boolean.valueOf(word);
                default -> word.matches("-?\\d+") ? (Object) Long.valueOf(word) : Double.valueOf(word);
            };
        }

        private void skip(char mark) {
            if (text.charAt(at) == mark) at++;
        }

        private String string() {
            var made = new StringBuilder();
            for (at++; text.charAt(at) != '"'; at++) {
                if (text.charAt(at) != '\\') {
                    made.append(text.charAt(at));
                    continue;
                }
                char mark = text.charAt(++at);
                if (mark == 'u') {
                    made.append((char) Integer.parseInt(text.substring(at + 1, at + 5), 16));
                    at += 4;
                } else {
                    int place = "bfnrt".indexOf(mark);
                    made.append(place < 0 ? mark : "\b\f\n\r\t".charAt(place));
                }
            }
            at++;
            return made.toString();
        }
    }
}
