//! A queue that seldom holds more than one thing, and then costs no allocation.
use std::collections::VecDeque;

/// First in, first out. The first lies in place; only those behind it are on the heap.
pub(crate) struct Queue<T> {
    first: Option<T>,
    /// Boxed, because most sockets go without it.
    #[allow(clippy::box_collection)]
    rest: Option<Box<VecDeque<T>>>,
}

impl<T> Queue<T> {
    pub(crate) fn push_back(&mut self, thing: T) {
        if self.first.is_none() {
            self.first = Some(thing);
        } else {
            self.rest.get_or_insert_default().push_back(thing);
        }
    }

    pub(crate) fn push_front(&mut self, thing: T) {
        if let Some(second) = self.first.replace(thing) {
            self.rest.get_or_insert_default().push_front(second);
        }
    }

    pub(crate) fn pop_front(&mut self) -> Option<T> {
        let first = self.first.take()?;
        if let Some(rest) = &mut self.rest {
            self.first = rest.pop_front();
        }
        Some(first)
    }

    pub(crate) fn front_mut(&mut self) -> Option<&mut T> {
        self.first.as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().chain(self.rest.iter().flat_map(|rest| rest.iter()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }
}

impl<T> Iterator for Queue<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.pop_front()
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { first: None, rest: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_in_first_out() {
        let mut queue = Queue::default();
        assert!(queue.is_empty() && queue.pop_front().is_none());
        (1..=4).for_each(|n| queue.push_back(n));
        queue.push_front(0);
        assert_eq!(queue.iter().copied().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        *queue.front_mut().unwrap() = 9;
        assert_eq!(queue.pop_front(), Some(9));
        assert_eq!(queue.by_ref().collect::<Vec<_>>(), [1, 2, 3, 4]);
        queue.push_front(7);
        queue.push_back(8);
        assert_eq!(queue.collect::<Vec<_>>(), [7, 8]);
    }
}
