//! The sound of a word: the primary code of double metaphone (Lawrence Philips, "The Double Metaphone Search Algorithm", C/C++ Users
//! Journal, June 2000), four letters at most. RediSearch indexes no other.

/// The code of a word, if it has sounds that the algorithm knows.
pub fn metaphone(word: &str) -> Option<String> {
    let letters: Vec<char> = word.to_uppercase().chars().filter(|letter| *letter != '\0').collect();
    let mut coder = Coder { slavo_germanic: false, letters, at: 0, code: String::new() };
    coder.slavo_germanic = coder.is_slavo_germanic();
    if coder.has(0, &["GN", "KN", "PN", "WR", "PS"]) {
        coder.at = 1;
    }
    while coder.at < coder.letters.len() && coder.code.len() < CODE_LETTERS_MAX {
        let taken = coder.letter();
        coder.at += taken;
    }
    coder.code.truncate(CODE_LETTERS_MAX);
    (!coder.code.is_empty()).then_some(coder.code)
}

const CODE_LETTERS_MAX: usize = 4;

fn is_vowel(letter: char) -> bool {
    matches!(letter, 'A' | 'E' | 'I' | 'O' | 'U' | 'Y')
}

struct Coder {
    letters: Vec<char>,
    at: usize,
    slavo_germanic: bool,
    code: String,
}

impl Coder {
    fn is_slavo_germanic(&self) -> bool {
        let any = |words: &[&str]| (0..self.letters.len()).any(|at| self.has(at as isize, words));
        any(&["W", "K", "CZ", "WITZ"])
    }

    /// The letter at a place; NUL outside of the word.
    fn get(&self, at: isize) -> char {
        usize::try_from(at).ok().and_then(|at| self.letters.get(at).copied()).unwrap_or('\0')
    }

    /// Whether one of the words stands at a place.
    fn has(&self, at: isize, words: &[&str]) -> bool {
        words.iter().any(|word| word.chars().zip(at..).all(|(letter, at)| self.get(at) == letter))
    }

    /// Whether one of the words stands so far from here.
    fn near(&self, offset: isize, words: &[&str]) -> bool {
        self.has(self.at as isize + offset, words)
    }

    fn here(&self, offset: isize) -> char {
        self.get(self.at as isize + offset)
    }

    fn vowel(&self, offset: isize) -> bool {
        is_vowel(self.here(offset))
    }

    fn is_last(&self) -> bool {
        self.at + 1 == self.letters.len()
    }

    fn germanic_name(&self) -> bool {
        self.has(0, &["VAN ", "VON ", "SCH"])
    }

    /// Adds to the code, and says how many letters that was for.
    fn add(&mut self, code: &str, taken: usize) -> usize {
        self.code.push_str(code);
        taken
    }

    /// The same for a letter that counts once if it stands twice.
    fn double(&mut self, code: &str) -> usize {
        let taken = if self.here(1) == self.here(0) { 2 } else { 1 };
        self.add(code, taken)
    }

    fn letter(&mut self) -> usize {
        match self.here(0) {
            'A' | 'E' | 'I' | 'O' | 'U' | 'Y' => {
                let code = if self.at == 0 { "A" } else { "" };
                self.add(code, 1)
            }
            'B' => self.double("P"),
            'Ç' => self.add("S", 1),
            'C' => self.letter_c(),
            'D' => self.letter_d(),
            'F' => self.double("F"),
            'G' => self.letter_g(),
            'H' if (self.at == 0 || self.vowel(-1)) && self.vowel(1) => self.add("H", 2),
            'J' => self.letter_j(),
            'K' => self.double("K"),
            'L' => self.double("L"),
            'M' => {
                let silent_b =
                    self.near(-1, &["UMB"]) && (self.at + 2 == self.letters.len() || self.near(2, &["ER"]));
                let taken = if self.here(1) == 'M' || silent_b { 2 } else { 1 };
                self.add("M", taken)
            }
            'N' => self.double("N"),
            'Ñ' => self.add("N", 1),
            'P' if self.here(1) == 'H' => self.add("F", 2),
            'P' => {
                let taken = if self.near(1, &["P", "B"]) { 2 } else { 1 };
                self.add("P", taken)
            }
            'Q' => self.double("K"),
            'R' => {
                let silent = self.is_last()
                    && !self.slavo_germanic
                    && self.near(-2, &["IE"])
                    && !self.near(-4, &["ME", "MA"]);
                self.double(if silent { "" } else { "R" })
            }
            'S' => self.letter_s(),
            'T' => self.letter_t(),
            'V' => self.double("F"),
            'W' => self.letter_w(),
            'X' => self.letter_x(),
            'Z' => self.letter_z(),
            _ => 1,
        }
    }

    fn letter_c(&mut self) -> usize {
        if self.hard_c() {
            return self.add("K", 2);
        }
        if self.at == 0 && self.near(0, &["CAESAR"]) {
            return self.add("S", 2);
        }
        if self.near(0, &["CH"]) {
            return self.letters_ch();
        }
        if self.near(0, &["CZ"]) && !self.near(-2, &["WICZ"]) {
            return self.add("S", 2);
        }
        if self.near(1, &["CIA"]) {
            return self.add("X", 3);
        }
        if self.near(0, &["CC"]) && !(self.at == 1 && self.get(0) == 'M') {
            if !self.near(2, &["I", "E", "H"]) || self.near(2, &["HU"]) {
                return self.add("K", 2);
            }
            let is_ks = (self.at == 1 && self.get(0) == 'A') || self.near(-1, &["UCCEE", "UCCES"]);
            return self.add(if is_ks { "KS" } else { "X" }, 3);
        }
        if self.near(0, &["CK", "CG", "CQ"]) {
            return self.add("K", 2);
        }
        if self.near(0, &["CI", "CE", "CY"]) {
            return self.add("S", 2);
        }
        let taken = if self.near(1, &[" C", " Q", " G"]) {
            3
        } else if self.near(1, &["C", "K", "Q"]) && !self.near(1, &["CE", "CI"]) {
            2
        } else {
            1
        };
        self.add("K", taken)
    }

    fn hard_c(&self) -> bool {
        if self.near(0, &["CHIA"]) {
            return true;
        }
        if self.at <= 1 || self.vowel(-2) || !self.near(-1, &["ACH"]) {
            return false;
        }
        !matches!(self.here(2), 'I' | 'E') || self.near(-2, &["BACHER", "MACHER"])
    }

    fn letters_ch(&mut self) -> usize {
        if self.at > 0 && self.near(0, &["CHAE"]) {
            return self.add("K", 2);
        }
        let greek = self.at == 0
            && self.near(1, &["HARAC", "HARIS", "HOR", "HYM", "HIA", "HEM"])
            && !self.has(0, &["CHORE"]);
        let germanic = self.germanic_name()
            || self.near(-2, &["ORCHES", "ARCHIT", "ORCHID"])
            || self.near(2, &["T", "S"])
            || ((self.near(-1, &["A", "O", "U", "E"]) || self.at == 0)
                && (self.near(2, &["L", "R", "N", "M", "B", "H", "F", "V", "W", " "])
                    || self.at + 2 == self.letters.len()));
        if greek || germanic || (self.at > 0 && self.has(0, &["MC"])) {
            return self.add("K", 2);
        }
        self.add("X", 2)
    }

    fn letter_d(&mut self) -> usize {
        if self.near(0, &["DG"]) {
            if self.near(2, &["I", "E", "Y"]) { self.add("J", 3) } else { self.add("TK", 2) }
        } else {
            let taken = if self.near(0, &["DT", "DD"]) { 2 } else { 1 };
            self.add("T", taken)
        }
    }

    fn letter_g(&mut self) -> usize {
        match self.here(1) {
            'H' => return self.letters_gh(),
            'N' => {
                let code = if self.at == 1 && is_vowel(self.get(0)) && !self.slavo_germanic {
                    "KN"
                } else if !self.near(2, &["EY"]) && !self.slavo_germanic {
                    "N"
                } else {
                    "KN"
                };
                return self.add(code, 2);
            }
            _ => {}
        }
        if self.near(1, &["LI"]) && !self.slavo_germanic {
            return self.add("KL", 2);
        }
        const SOFT: [&str; 12] = ["Y", "ES", "EP", "EB", "EL", "EY", "IB", "IL", "IN", "IE", "EI", "ER"];
        if self.at == 0 && self.near(1, &SOFT) {
            return self.add("K", 2);
        }
        if self.near(1, &["ER", "Y"])
            && !self.has(0, &["DANGER", "RANGER", "MANGER"])
            && !self.near(-1, &["E", "I", "RGY", "OGY"])
        {
            return self.add("K", 2);
        }
        if self.near(1, &["E", "I", "Y"]) || self.near(-1, &["AGGI", "OGGI"]) {
            let is_hard = self.germanic_name() || self.near(1, &["ET"]);
            return self.add(if is_hard { "K" } else { "J" }, 2);
        }
        self.double("K")
    }

    fn letters_gh(&mut self) -> usize {
        if self.at > 0 && !self.vowel(-1) {
            return self.add("K", 2);
        }
        if self.at == 0 {
            let code = if self.here(2) == 'I' { "J" } else { "K" };
            return self.add(code, 2);
        }
        let silent = (self.at > 1 && self.near(-2, &["B", "H", "D"]))
            || (self.at > 2 && self.near(-3, &["B", "H", "D"]))
            || (self.at > 3 && self.near(-4, &["B", "H"]));
        if silent {
            return 2;
        }
        let code = if self.at > 2 && self.here(-1) == 'U' && self.near(-3, &["C", "G", "L", "R", "T"]) {
            "F"
        } else if self.here(-1) != 'I' {
            "K"
        } else {
            ""
        };
        self.add(code, 2)
    }

    fn letter_j(&mut self) -> usize {
        let spanish = self.has(0, &["SAN "]);
        if self.near(0, &["JOSE"]) || spanish {
            let is_h = (self.at == 0 && self.here(4) == ' ') || self.letters.len() == 4 || spanish;
            return self.add(if is_h { "H" } else { "J" }, 1);
        }
        let sounds = self.at == 0
            || (self.vowel(-1) && !self.slavo_germanic && matches!(self.here(1), 'A' | 'O'))
            || self.is_last()
            || (!self.near(1, &["L", "T", "K", "S", "N", "M", "B", "Z"]) && !self.near(-1, &["S", "K", "L"]));
        self.double(if sounds { "J" } else { "" })
    }

    fn letter_s(&mut self) -> usize {
        if self.near(-1, &["ISL", "YSL"]) {
            return 1;
        }
        if self.at == 0 && self.near(0, &["SUGAR"]) {
            return self.add("X", 1);
        }
        if self.near(0, &["SH"]) {
            let code = if self.near(1, &["HEIM", "HOEK", "HOLM", "HOLZ"]) { "S" } else { "X" };
            return self.add(code, 2);
        }
        if self.near(0, &["SIO", "SIA"]) {
            return self.add("S", 3);
        }
        if (self.at == 0 && self.near(1, &["M", "N", "L", "W"])) || self.here(1) == 'Z' {
            let taken = if self.here(1) == 'Z' { 2 } else { 1 };
            return self.add("S", taken);
        }
        if self.near(0, &["SC"]) {
            let code = if self.here(2) == 'H' {
                if self.near(3, &["OO", "UY", "ED", "EM"]) { "SK" } else { "X" }
            } else if self.near(2, &["I", "E", "Y"]) {
                "S"
            } else {
                "SK"
            };
            return self.add(code, 3);
        }
        let silent = self.is_last() && self.near(-2, &["AI", "OI"]);
        let taken = if self.near(1, &["S", "Z"]) { 2 } else { 1 };
        self.add(if silent { "" } else { "S" }, taken)
    }

    fn letter_t(&mut self) -> usize {
        if self.near(0, &["TION", "TIA", "TCH"]) {
            return self.add("X", 3);
        }
        if self.near(0, &["TH", "TTH"]) {
            let is_t = self.near(2, &["OM", "AM"]) || self.germanic_name();
            return self.add(if is_t { "T" } else { "0" }, 2);
        }
        let taken = if self.near(1, &["T", "D"]) { 2 } else { 1 };
        self.add("T", taken)
    }

    fn letter_w(&mut self) -> usize {
        if self.near(0, &["WR"]) {
            return self.add("R", 2);
        }
        if self.at == 0 && (self.vowel(1) || self.near(0, &["WH"])) {
            return self.add("A", 1);
        }
        let silent = (self.is_last() && self.vowel(-1))
            || self.near(-1, &["EWSKI", "EWSKY", "OWSKI", "OWSKY"])
            || self.has(0, &["SCH"]);
        if !silent && self.near(0, &["WICZ", "WITZ"]) {
            return self.add("TS", 4);
        }
        1
    }

    fn letter_x(&mut self) -> usize {
        if self.at == 0 {
            return self.add("S", 1);
        }
        let french = self.is_last() && (self.near(-3, &["IAU", "EAU"]) || self.near(-2, &["AU", "OU"]));
        let taken = if self.near(1, &["C", "X"]) { 2 } else { 1 };
        self.add(if french { "" } else { "KS" }, taken)
    }

    fn letter_z(&mut self) -> usize {
        if self.here(1) == 'H' {
            return self.add("J", 2);
        }
        self.double("S")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_sound_alike() {
        for (word, code) in [
            ("hello", "HL"),
            ("world", "ARLT"),
            ("jon", "JN"),
            ("john", "JN"),
            ("morfix", "MRFK"),
            ("morphix", "MRFK"),
            ("smith", "SM0"),
            ("schmidt", "XMT"),
            ("thomas", "TMS"),
            ("caesar", "SSR"),
            ("knight", "NT"),
            ("laugh", "LF"),
        ] {
            assert_eq!(metaphone(word).as_deref(), Some(code), "{word}");
        }
        assert_eq!(metaphone("2015"), None);
        assert_eq!(metaphone(""), None);
    }
}
