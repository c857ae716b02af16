//! What the name of a crop says of a person.

use crate::trouble::Trouble;

const OLDEST: u8 = 120;
/// UTKFace's codes, which are guesses, by number alone.
pub(crate) const GROUPS: [&str; 5] = ["group 0", "group 1", "group 2", "group 3", "group 4"];

/// What a file's name says of the person in it, by its source.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Label {
    /// Years.
    pub(crate) age: u8,
    /// UTKFace: 0 male, 1 female.
    pub(crate) gender: u8,
    /// UTKFace: 0 white, 1 black, 2 Asian, 3 Indian, 4 other.
    pub(crate) group: u8,
}

impl Label {
    /// From `AGE_GENDER_GROUP_REST`, in any folder.
    pub(crate) fn of(name: &str) -> Result<Self, Trouble> {
        let file = name.rsplit_once('/').map_or(name, |(_, file)| file);
        let mut fields = file.split('_').map(str::parse::<u8>);
        let label = match [fields.next(), fields.next(), fields.next()] {
            [Some(Ok(age)), Some(Ok(gender)), Some(Ok(group))] => Some(Self { age, gender, group }),
            _ => None,
        };
        label.filter(|label| label.age <= OLDEST && label.gender < 2 && label.group < 5).ok_or_else(|| {
            let text = format!("{name}: expected AGE_GENDER_GROUP_..., with codes 0 or 1 and 0 to 4");
            Trouble::BadInput(text)
        })
    }

    /// What its group is called.
    pub(crate) fn group_name(&self) -> &'static str {
        GROUPS[usize::from(self.group)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_codes_is_refused_by_name() {
        assert_eq!(Label::of("utkface/26_1_4_2017.jpg").unwrap(), Label { age: 26, gender: 1, group: 4 });
        for name in
            ["utkface/26_1_2017.jpg", "a/26_2_0_1.jpg", "26_1_5_1.jpg", "121_0_0_1.jpg", "ann.jpg", ""]
        {
            let refused = Label::of(name).unwrap_err();
            assert!(refused.to_string().starts_with(&format!("{name}: ")), "{refused}");
            assert_eq!(Trouble::code_of(&refused.into()), 3);
        }
    }
}
